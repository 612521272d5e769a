/// What happens on one connection, as calls.
///
/// The order is fixed: `connectionMade`, then any number of the others, then `connectionLost`, once
/// and last.
///
/// A method that throws aborts its connection; the error goes to `onCallbackError` and to
/// `connectionLost`. No other connection notices.
///
/// > Thread: On-loop only: each call comes on the loop's thread, never while another is running;
/// > but a `write` that
///   passes the high watermark calls `pauseWriting` before it returns, and so does `setWriteBufferLimits` either one.
public protocol StreamHandler: AnyObject {
    /// The connection stands. Keep the transport to write to it.
    func connectionMade(_ transport: StreamTransport) throws

    /// Bytes came. They are the handler's: write them on, keep them, or let them end.
    ///
    /// Bytes that are kept pin a pool buffer (`ReceivedBytes.pinnedBytes`); copy out what stays
    /// long.
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws

    /// The peer will send no more.
    ///
    /// - Returns: true to keep the connection half-open and go on writing; false to close it.
    func eofReceived(on transport: StreamTransport) throws -> Bool

    /// The connection is over: nil after a close, the reason otherwise. Nothing is called after
    /// this.
    func connectionLost(_ transport: StreamTransport, error: IOError?)

    /// More than the high watermark waits to be sent: stop writing.
    func pauseWriting(on transport: StreamTransport) throws

    /// No more than the low watermark waits: go on writing.
    func resumeWriting(on transport: StreamTransport) throws

    /// The loop drains: finish what is under way and close.
    func drainStarted(on transport: StreamTransport) throws
}

extension StreamHandler {
    /// Does nothing.
    public func connectionMade(_ transport: StreamTransport) {}
    /// Closes: an answer needs a handler that says so.
    public func eofReceived(on transport: StreamTransport) -> Bool { false }
    /// Does nothing.
    public func connectionLost(_ transport: StreamTransport, error: IOError?) {}
    /// Does nothing: what is written waits in memory.
    public func pauseWriting(on transport: StreamTransport) {}
    /// Does nothing.
    public func resumeWriting(on transport: StreamTransport) {}
    /// Closes after what is queued was sent.
    public func drainStarted(on transport: StreamTransport) { transport.close() }
}
