internal import CUring
internal import Glibc

/// The control verbs of datagram sockets, by plain system calls.
// Safety: every system call here uses the memory it is given during the call only.
extension SystemControl {
    /// Opens a datagram socket, close-on-exec and non-blocking.
    package func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let result = socket(address.family, type, 0)
        guard result >= 0 else {
            throw IOError(.openSocket, errno: .current, detail: address.description)
        }
        return Descriptor(rawValue: result)
    }

    /// Sets an option of a datagram socket (ip(7), ipv6(7), udp(7)).
    ///
    /// - Throws: `.invalidArgument` for hops, or a group, that there cannot be; what setsockopt(2) says.
    func set(_ option: DatagramOption, on descriptor: Descriptor) throws(IOError) {
        let number = descriptor.rawValue
        let result: Int32 =
            switch option {
            case .broadcast(let isOn):
                set(SO_BROADCAST, isOn ? 1 : 0, number, level: SOL_SOCKET)
            case .multicastHops(let hops):
                setForFamily(
                    (IP_MULTICAST_TTL, Int32(IPV6_MULTICAST_HOPS)),
                    try Self.checked(hops),
                    number
                )
            case .multicastLoop(let isOn):
                setForFamily((IP_MULTICAST_LOOP, Int32(IPV6_MULTICAST_LOOP)), isOn ? 1 : 0, number)
            case .multicastInterface(let interface): set(interface, number)
            case .joinGroup(let group, let interface):
                try setMembership(of: group, on: interface, joins: true, number)
            case .leaveGroup(let group, let interface):
                try setMembership(of: group, on: interface, joins: false, number)
            case .receiveSegments(let isOn):
                set(Int32(CU_UDP_GRO), isOn ? 1 : 0, number, level: Int32(CU_UDP_LEVEL))
            }
        guard result < 0 else { return }
        throw IOError(
            .setOption,
            descriptor: descriptor,
            errno: Errno(result: result),
            detail: "\(option)"
        )
    }

    private static func checked(_ hops: Int) throws(IOError) -> Int32 {
        guard (0...255).contains(hops) else {
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail: "multicastHops are 0 to 255, got \(hops)"
            )
        }
        return Int32(hops)
    }

    private func set(_ interface: NetworkInterface, _ number: Int32) -> Int32 {
        guard cu_socket_family(number) == AF_INET6 else {
            return cu_set_multicast_interface4(number, interface.index)
        }
        let option = Int32(IPV6_MULTICAST_IF)
        return set(option, Int32(bitPattern: interface.index), number, level: Int32(IPPROTO_IPV6))
    }

    private func setMembership(
        of group: SocketAddress,
        on interface: NetworkInterface,
        joins: Bool,
        _ number: Int32
    ) throws(IOError) -> Int32 {
        switch group {
        case .ipv4(let address, _) where address >> 28 == 0xE:
            return cu_set_membership4(number, joins, address.bigEndian, interface.index)
        case .ipv6(let high, let low, _, _) where high >> 56 == 0xFF:
            let words = (high.bigEndian, low.bigEndian)
            return unsafe withUnsafeBytes(of: words) {
                unsafe cu_set_membership6(number, joins, $0.baseAddress, interface.index)
            }
        case .ipv4, .ipv6, .unix:
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail: "a group is in 224.0.0.0/4 or ff00::/8, got \(group)"
            )
        }
    }

    private func setForFamily(
        _ options: (ipv4: Int32, ipv6: Int32),
        _ value: Int32,
        _ number: Int32
    ) -> Int32 {
        cu_socket_family(number) == AF_INET6
            ? set(options.ipv6, value, number, level: Int32(IPPROTO_IPV6))
            : set(options.ipv4, value, number, level: Int32(IPPROTO_IP))
    }

    private func set(_ option: Int32, _ value: Int32, _ number: Int32, level: Int32) -> Int32 {
        let size = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe withUnsafePointer(to: value) { value in
            unsafe setsockopt(number, level, option, value, size)
        }
        return result == 0 ? 0 : -errno
    }
}
