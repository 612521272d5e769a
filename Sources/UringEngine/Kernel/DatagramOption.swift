internal import CUring

/// An option of datagram sockets, typed.
///
/// Where IPv4 and IPv6 have each their own, the socket's family decides.
///
/// > Thread: Any thread.
public enum DatagramOption: Hashable, Sendable {
    /// SO_BROADCAST: sending to a broadcast address is allowed.
    case broadcast(Bool)
    /// How far datagrams to groups go, in hops from 0 (this host) to 255 (IP_MULTICAST_TTL,
    /// IPV6_MULTICAST_HOPS); the kernel's default is 1.
    case multicastHops(Int)
    /// Members on this host get what is sent here (IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP).
    case multicastLoop(Bool)
    /// By which interface datagrams to groups go out (IP_MULTICAST_IF, IPV6_MULTICAST_IF).
    case multicastInterface(NetworkInterface)
    /// Receive what is sent to a group; its port means nothing.
    case joinGroup(SocketAddress, on: NetworkInterface)
    /// Receive it no longer.
    case leaveGroup(SocketAddress, on: NetworkInterface)
    /// The kernel puts datagrams of one sender together (UDP_GRO, Linux 5.0).
    ///
    /// `DatagramOptions.receivesSegments` sets it, with the room that it needs.
    case receiveSegments(Bool)
}

/// A network interface of this host, by its number.
///
/// > Thread: Any thread.
public struct NetworkInterface: Hashable, Sendable {
    /// The number, as `ip link` shows it; zero for none.
    public let index: UInt32

    /// Takes a number as it is.
    public init(index: UInt32) {
        self.index = index
    }

    /// Leaves the choice to the routes.
    public static let any = NetworkInterface(index: 0)

    /// Looks an interface up, such as `lo` or `eth0`.
    ///
    /// - Throws: `.invalidArgument` that names it, when this host has none of that name.
    public init(name: String) throws(IOError) {
        let isClean = !name.utf8.contains(0)
        // Safety: if_nametoindex(3) reads the string during the call.
        let index = isClean ? unsafe cu_interface_index(name) : 0
        guard index != 0 else {
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail: "no network interface of this host is named '\(name.prefix(64))'"
            )
        }
        self.index = index
    }
}
