/// What an operation does.
///
/// It travels in the token, so that a completion can be told apart without its slot.
///
/// > Thread: Any thread.
package enum OperationKind: UInt8, Sendable, CaseIterable {
    /// A connection taken from a listener; the result is a descriptor.
    case accept = 1
    /// A connection made to a peer.
    case connect
    /// Bytes into pool buffers.
    case receive
    /// Bytes out.
    case send
    /// Bytes dropped without a buffer.
    case discard
    /// Readiness of a descriptor.
    case poll
    /// The end of another operation, asked for by its token.
    case cancel
    /// The driver's own business: the waker's poll, self-tests, the drain at the end. Never handed
    /// to the loop.
    case driverOwn
    /// Datagrams into pool buffers, each with its sender.
    case receiveMessage = 9
    /// Any operation on a file or a path but an open.
    case file = 12
    /// A file opened; the result is a descriptor.
    case openFile = 13

    // Pipes and terminals.
    /// Bytes of a pipe or a terminal into pool buffers.
    case readStream = 10
    /// Bytes out to a pipe or a terminal.
    case writeStream = 11

    /// Whether a result of zero or more is a descriptor that somebody must own.
    package var returnsDescriptor: Bool { self == .accept || self == .openFile }
}
