/// A socket option, typed.
///
/// Setting one checks its range first: a value that the kernel would refuse, or cut, is an error that
/// names what is accepted.
///
/// > Thread: Any thread.
public enum SocketOption: Hashable, Sendable {
    /// SO_REUSEADDR.
    case reuseAddress(Bool)
    /// SO_REUSEPORT.
    case reusePort(Bool)
    /// TCP_NODELAY.
    case noDelay(Bool)
    /// IPV6_V6ONLY.
    case onlyIPv6(Bool)
    /// SO_KEEPALIVE.
    case keepAlive(Bool)
    /// TCP_KEEPIDLE: how long a connection is silent before the first probe, 1 to 32,767 whole seconds.
    case keepAliveIdle(Duration)
    /// TCP_KEEPINTVL: how long between two probes, 1 to 32,767 whole seconds.
    case keepAliveInterval(Duration)
    /// TCP_KEEPCNT: probes without an answer before the connection is given up, 1 to 127.
    case keepAliveCount(Int)
    /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged, in milliseconds; zero for the
    /// kernel's own limit.
    case userTimeout(Duration)
    /// TCP_QUICKACK: acknowledgements go out at once, for now; the kernel takes it back by itself.
    case quickAck(Bool)
    /// TCP_FASTOPEN_CONNECT (Linux 4.11): connecting is put off until the first write goes with it. Set
    /// before connecting.
    case fastOpenConnect(Bool)
    /// TCP_FASTOPEN: how many fast-opened connections of a listener may wait for their last
    /// acknowledgement, 0 to 65,535.
    case fastOpenQueue(Int)
    /// IP_TOS of an IPv4 socket, IPV6_TCLASS of an IPv6 one: the byte with the DSCP in its upper six bits.
    case trafficClass(UInt8)
    /// SO_PRIORITY, 0 to 6; more takes CAP_NET_ADMIN.
    case priority(Int)
    /// SO_BINDTODEVICE: packets go by this interface alone; 1 to 15 bytes, empty for any.
    case device(String)
    /// SO_SNDBUF, in bytes; the kernel doubles it.
    case sendBufferBytes(Int)
    /// SO_RCVBUF, in bytes; the kernel doubles it.
    case receiveBufferBytes(Int)
    /// SO_LINGER with zero seconds: closing resets the connection.
    case resetOnClose
    /// An option of datagram sockets.
    case datagram(DatagramOption)

    /// Which option to read.
    ///
    /// > Thread: Any thread.
    public enum Key: String, Hashable, Sendable, CaseIterable {
        case reuseAddress, reusePort, noDelay, onlyIPv6, keepAlive, keepAliveIdle, keepAliveInterval
        case keepAliveCount, userTimeout, quickAck, fastOpenConnect, fastOpenQueue, trafficClass
        case priority, device, sendBufferBytes, receiveBufferBytes
    }
}

extension SocketOption {
    /// Checks the value's range.
    ///
    /// - Throws: `.invalidArgument` that names the option, the value and what is accepted.
    package func check() throws(IOError) {
        switch self {
        case .keepAliveIdle(let time), .keepAliveInterval(let time):
            let isWhole = time.components.attoseconds == 0
            try require(isWhole && (1...32_767).contains(time.components.seconds), "1 to 32767 s")
        case .keepAliveCount(let count): try require((1...127).contains(count), "1 to 127")
        case .userTimeout(let time):
            try require(time >= .zero && time <= .milliseconds(Int32.max), "0 to 2147483647 ms")
        case .fastOpenQueue(let count): try require((0...65_535).contains(count), "0 to 65535")
        case .priority(let priority): try require((0...6).contains(priority), "0 to 6")
        case .device(let name):
            let isName = name.utf8.count <= 15 && !name.utf8.contains { $0 <= 32 || $0 == 47 }
            try require(isName, "the name of an interface, at most 15 bytes")
        case .sendBufferBytes(let count), .receiveBufferBytes(let count):
            try require((0...Int(Int32.max)).contains(count), "0 to 2147483647 bytes")
        case .reuseAddress, .reusePort, .noDelay, .onlyIPv6, .keepAlive, .quickAck,
            .fastOpenConnect, .trafficClass, .resetOnClose, .datagram:
            break
        }
    }

    private func require(_ isAccepted: Bool, _ accepted: String) throws(IOError) {
        guard !isAccepted else { return }
        throw IOError(
            .setOption,
            reason: .invalidArgument,
            detail: "\(self) is out of range; accepted: \(accepted)"
        )
    }

    /// Which option it is; nil for one that is only ever set.
    package var key: Key? {
        switch self {
        case .reuseAddress: .reuseAddress
        case .reusePort: .reusePort
        case .noDelay: .noDelay
        case .onlyIPv6: .onlyIPv6
        case .keepAlive: .keepAlive
        case .keepAliveIdle: .keepAliveIdle
        case .keepAliveInterval: .keepAliveInterval
        case .keepAliveCount: .keepAliveCount
        case .userTimeout: .userTimeout
        case .quickAck: .quickAck
        case .fastOpenConnect: .fastOpenConnect
        case .fastOpenQueue: .fastOpenQueue
        case .trafficClass: .trafficClass
        case .priority: .priority
        case .device: .device
        case .sendBufferBytes: .sendBufferBytes
        case .receiveBufferBytes: .receiveBufferBytes
        case .resetOnClose, .datagram: nil
        }
    }
}
