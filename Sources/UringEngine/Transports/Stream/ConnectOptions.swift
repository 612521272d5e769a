/// How a connection is made.
///
/// > Thread: Any thread.
public struct ConnectOptions: Hashable, Sendable {
    /// How long connecting may take in all: the name's resolution and every address together.
    public var timeout = Duration.seconds(10)
    /// How long an address has for itself before the next is tried beside it (RFC 8305, section 5);
    /// less than 10 ms counts as 10 ms.
    ///
    /// An address that fails makes room for the next at once.
    public var attemptDelay = Duration.milliseconds(250)
    /// Which address of this machine the connection comes from; port 0 takes a free one.
    ///
    /// Addresses of another family are not tried then.
    public var localAddress: SocketAddress?
    /// Whether the kernel looks if a silent peer is still there; nil for its default, which is not to.
    public var keepAlive: KeepAlive?
    /// Set on each socket before it connects, in this order.
    public var socketOptions: [SocketOption] = []
    /// How the stream behaves.
    public var stream = StreamOptions()

    /// The defaults.
    public init() {}

    /// Everything that is set on a socket before it connects.
    var optionsToSet: [SocketOption] { (keepAlive?.options ?? []) + socketOptions }
}

/// When a silent peer is looked for, and given up.
///
/// > Thread: Any thread.
public struct KeepAlive: Hashable, Sendable {
    /// How long a connection is silent before the first probe, in whole seconds.
    public var idle: Duration
    /// How long between two probes, in whole seconds.
    public var interval: Duration
    /// How many probes without an answer end the connection with ETIMEDOUT.
    public var count: Int

    /// Looks first after `idle`, then each `interval`, `count` times.
    public init(
        idle: Duration = .seconds(60),
        interval: Duration = .seconds(10),
        count: Int = 6
    ) {
        self.idle = idle
        self.interval = interval
        self.count = count
    }

    /// The same as options of a socket.
    public var options: [SocketOption] {
        [
            .keepAlive(true), .keepAliveIdle(idle), .keepAliveInterval(interval),
            .keepAliveCount(count),
        ]
    }
}
