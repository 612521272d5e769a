/// An error that a user's callback threw.
///
/// The loop goes on.
///
/// > Thread: On-loop only.
public struct CallbackFailure {
    /// What was thrown.
    public let error: any Error
    /// Which callback threw it.
    public let origin: Origin

    /// The callbacks that may throw.
    public enum Origin: String, Sendable {
        /// A job of `callSoon` or `callSoonThreadsafe`.
        case job
        /// A job of `callLater` or `callAt`.
        case timer
        /// A method of a `StreamHandler`; its connection is aborted.
        case streamHandler = "stream handler"
        /// A method of a `DatagramHandler`; its endpoint is aborted.
        case datagramHandler = "datagram handler"
        /// The closure that makes a handler for a new connection; the connection is aborted.
        case handlerFactory = "handler factory"
        /// A callback of `addReader` or `addWriter`, or its watch, which has ended then.
        case readiness
        /// A callback of `addSignalHandler`.
        case signal
    }
}
