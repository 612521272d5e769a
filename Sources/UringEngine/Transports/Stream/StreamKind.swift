/// What a stream runs over: the two differ in how they end, and in their options.
///
/// > Thread: Any thread.
package enum StreamKind: Hashable, Sendable {
    /// TCP: it can be reset, and has options of its own.
    case tcp
    /// A Unix socket: it knows no reset, and what was sent to it is with the peer at once.
    case unix

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
        case .unix: .orderly
        }
    }
}
