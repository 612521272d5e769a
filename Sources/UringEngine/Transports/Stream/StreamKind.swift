/// What a stream runs over: the kinds differ in how they end, and in their options.
///
/// > Thread: Any thread.
package enum StreamKind: Hashable, Sendable {
    /// TCP: it can be reset, and has options of its own.
    case tcp
    /// A Unix socket: it knows no reset, and what was sent to it is with the peer at once.
    case unix
    /// A pipe, a FIFO, a terminal or the like: no socket. It knows neither a reset nor an end of one
    /// direction alone, and its other end learns of nothing but its close.
    case pipe

    /// The kind of stream that an address leads to.
    package init(_ address: SocketAddress) {
        switch address {
        case .ipv4, .ipv6: self = .tcp
        case .unix: self = .unix
        }
    }

    /// How a stream ends that failed or was aborted.
    ///
    /// SO_LINGER with zero seconds does nothing on a Unix socket: its peer sees the end of the
    /// stream, or ECONNRESET when something of its own was not read.
    var abortMode: CloseMode {
        switch self {
        case .tcp: .reset
        case .unix, .pipe: .orderly
        }
    }
}
