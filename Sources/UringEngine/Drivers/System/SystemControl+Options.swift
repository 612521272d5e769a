internal import CUring
internal import Glibc

/// Socket options (setsockopt(2), getsockopt(2), socket(7), tcp(7), ip(7), ipv6(7)).
// Safety: every system call here uses the memory it is given during the call only.
extension SystemControl {
    /// Sets an option.
    package func setOption(_ option: SocketOption, on descriptor: Descriptor) throws(IOError) {
        if case .datagram(let option) = option { return try set(option, on: descriptor) }
        try option.check()
        guard let errno = set(option, on: descriptor) else { return }
        throw IOError(.setOption, descriptor: descriptor, errno: errno, detail: "\(option)")
    }

    private func set(_ option: SocketOption, on descriptor: Descriptor) -> Errno? {
        guard let key = option.key else {
            return Self.failure(cu_set_reset_on_close(descriptor.rawValue))
        }
        if case .device(let name) = option { return setDevice(name, on: descriptor) }
        let (level, number) = place(of: key, on: descriptor)
        var value = option.number
        let size = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe setsockopt(descriptor.rawValue, level, number, &value, size)
        return result == 0 ? nil : .current
    }

    private func setDevice(_ name: String, on descriptor: Descriptor) -> Errno? {
        let bytes = Array(name.utf8) + [0]
        let size = socklen_t(bytes.count)
        let result = unsafe setsockopt(
            descriptor.rawValue,
            SOL_SOCKET,
            SO_BINDTODEVICE,
            bytes,
            size
        )
        return result == 0 ? nil : .current
    }

    /// Reads an option.
    package func option(
        _ key: SocketOption.Key,
        of descriptor: Descriptor
    ) throws(IOError) -> SocketOption {
        let (level, number) = place(of: key, on: descriptor)
        // An interface's name has at most 15 bytes.
        var bytes = [UInt8](repeating: 0, count: 16)
        var size = socklen_t(key == .device ? bytes.count : MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor.rawValue, level, number, &bytes, &size) == 0 else {
            throw IOError(
                .readOption,
                descriptor: descriptor,
                errno: .current,
                detail: key.rawValue
            )
        }
        if key == .device {
            let name = bytes.prefix(Int(size)).prefix { $0 != 0 }
            return .device(String(decoding: name, as: UTF8.self))
        }
        let value = bytes.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return SocketOption(key, number: Int32(truncatingIfNeeded: value))
    }

    /// Level and number of an option.
    private func place(
        of key: SocketOption.Key,
        on descriptor: Descriptor
    ) -> (level: Int32, number: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        return switch key {
        case .reuseAddress: (SOL_SOCKET, SO_REUSEADDR)
        case .reusePort: (SOL_SOCKET, SO_REUSEPORT)
        case .keepAlive: (SOL_SOCKET, SO_KEEPALIVE)
        case .priority: (SOL_SOCKET, SO_PRIORITY)
        case .device: (SOL_SOCKET, SO_BINDTODEVICE)
        case .sendBufferBytes: (SOL_SOCKET, SO_SNDBUF)
        case .receiveBufferBytes: (SOL_SOCKET, SO_RCVBUF)
        case .noDelay: (tcp, TCP_NODELAY)
        case .keepAliveIdle: (tcp, TCP_KEEPIDLE)
        case .keepAliveInterval: (tcp, TCP_KEEPINTVL)
        case .keepAliveCount: (tcp, TCP_KEEPCNT)
        case .userTimeout: (tcp, TCP_USER_TIMEOUT)
        case .quickAck: (tcp, TCP_QUICKACK)
        case .fastOpenConnect: (tcp, TCP_FASTOPEN_CONNECT)
        case .fastOpenQueue: (tcp, TCP_FASTOPEN)
        case .onlyIPv6: (Int32(IPPROTO_IPV6), IPV6_V6ONLY)
        case .trafficClass where isIPv6(descriptor): (Int32(IPPROTO_IPV6), IPV6_TCLASS)
        case .trafficClass: (Int32(IPPROTO_IP), IP_TOS)
        }
    }

    private func isIPv6(_ descriptor: Descriptor) -> Bool {
        var domain: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(descriptor.rawValue, SOL_SOCKET, SO_DOMAIN, &domain, &size)
        return result == 0 && domain == AF_INET6
    }
}

extension SocketOption {
    /// What the kernel is told; zero where it is no number.
    fileprivate var number: Int32 {
        switch self {
        case .reuseAddress(let isOn), .reusePort(let isOn), .noDelay(let isOn),
            .onlyIPv6(let isOn), .keepAlive(let isOn), .quickAck(let isOn),
            .fastOpenConnect(let isOn):
            isOn ? 1 : 0
        case .keepAliveIdle(let time), .keepAliveInterval(let time):
            Int32(clamping: time.components.seconds)
        case .userTimeout(let time): Int32(clamping: time.clampedNanoseconds / 1_000_000)
        case .keepAliveCount(let count), .fastOpenQueue(let count), .priority(let count),
            .sendBufferBytes(let count), .receiveBufferBytes(let count):
            Int32(clamping: count)
        case .trafficClass(let byte): Int32(byte)
        case .device, .resetOnClose, .datagram: 0
        }
    }

    /// An option as the kernel told it.
    fileprivate init(_ key: Key, number: Int32) {
        let isOn = number != 0
        self =
            switch key {
            case .reuseAddress: .reuseAddress(isOn)
            case .reusePort: .reusePort(isOn)
            case .noDelay: .noDelay(isOn)
            case .onlyIPv6: .onlyIPv6(isOn)
            case .keepAlive: .keepAlive(isOn)
            case .quickAck: .quickAck(isOn)
            case .fastOpenConnect: .fastOpenConnect(isOn)
            case .keepAliveIdle: .keepAliveIdle(.seconds(number))
            case .keepAliveInterval: .keepAliveInterval(.seconds(number))
            case .keepAliveCount: .keepAliveCount(Int(number))
            case .userTimeout: .userTimeout(.milliseconds(number))
            case .fastOpenQueue: .fastOpenQueue(Int(number))
            case .trafficClass: .trafficClass(UInt8(truncatingIfNeeded: number))
            case .priority: .priority(Int(number))
            case .sendBufferBytes: .sendBufferBytes(Int(number))
            case .receiveBufferBytes: .receiveBufferBytes(Int(number))
            case .device: .device("")
            }
    }
}
