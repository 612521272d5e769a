/// How one datagram endpoint behaves.
///
/// Every limit says what happens when it is reached.
///
/// > Thread: Any thread.
public struct DatagramOptions: Hashable, Sendable {
    /// Bytes waiting to be sent, as pinned memory, above which `pauseWriting` is called.
    public var writeHighWatermark = StandardSizes.writeHighWatermark
    /// Bytes waiting to be sent at or below which `resumeWriting` is called.
    public var writeLowWatermark = StandardSizes.writeLowWatermark
    /// How long a close waits for room for what was queued; then that is lost, and `connectionLost` says so.
    public var closeTimeout = Duration.seconds(5)
    /// Several sockets may be bound to the address, one a loop (SO_REUSEPORT): the kernel spreads senders
    /// over them.
    ///
    /// IP only.
    public var sharesPort = false
    /// Other sockets may be bound to the address too (SO_REUSEADDR): for several receivers of one multicast
    /// group.
    ///
    /// Of other datagrams each goes to one of them only.
    public var sharesAddress = false
    /// An IPv6 socket receives no datagrams of IPv4.
    public var isOnlyIPv6 = false
    /// Sending to a broadcast address is allowed (SO_BROADCAST).
    public var allowsBroadcast = false
    /// Bytes that the kernel keeps until they are received (SO_RCVBUF), which it doubles; beyond that it
    /// drops datagrams.
    ///
    /// Nil leaves it to net.core.rmem_default.
    public var receiveBufferBytes: Int?
    /// Bytes that the kernel keeps until they are sent (SO_SNDBUF), which it doubles; beyond that sends
    /// queue here.
    ///
    /// Nil leaves it to net.core.wmem_default.
    public var sendBufferBytes: Int?
    /// The kernel may put datagrams of one sender together (UDP_GRO, Linux 5.0), which costs it less; each
    /// is delivered by itself all the same.
    ///
    /// It takes pool buffers of `segmentedBufferBytesMin` bytes at least. UDP only.
    public var receivesSegments = false
    /// Who may send to the path of a Unix socket, as `ListenerOptions.unixPermissions`.
    public var unixPermissions: FilePermissions = 0o600

    /// The least size of a pool buffer for `receivesSegments`: what the kernel puts together has up to
    /// 65,535 bytes.
    public static let segmentedBufferBytesMin = 65_536 + 128

    /// The defaults.
    public init() {}
}
