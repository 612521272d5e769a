/// What happens on one datagram endpoint, as calls.
///
/// The order is fixed: `connectionMade`, then any number of the others, then `connectionLost`, once
/// and last.
///
/// A method that throws aborts its endpoint; the error goes to `onCallbackError` and to
/// `connectionLost`.
///
/// > Thread: On-loop only: each call comes on the loop's thread, never while another is running; but a
/// > `send` that passes the high watermark calls `pauseWriting` before it returns.
public protocol DatagramHandler: AnyObject {
    /// The endpoint is open. Keep the transport to send with it.
    func connectionMade(_ transport: DatagramTransport) throws

    /// A datagram came; it may be empty, or truncated.
    ///
    /// A datagram that is kept pins a pool buffer; copy out what stays long.
    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws

    /// The network says that an earlier datagram did not arrive: ECONNREFUSED, EHOSTUNREACH and others.
    ///
    /// The endpoint lives on.
    func errorReceived(_ error: IOError, on transport: DatagramTransport) throws

    /// More than the high watermark waits to be sent: stop sending.
    func pauseWriting(on transport: DatagramTransport) throws

    /// No more than the low watermark waits: go on sending.
    func resumeWriting(on transport: DatagramTransport) throws

    /// The endpoint is closed: nil after a close, the reason otherwise. Nothing is called after this.
    func connectionLost(_ transport: DatagramTransport, error: IOError?)

    /// The loop drains: finish what is under way and close.
    func drainStarted(on transport: DatagramTransport) throws
}

extension DatagramHandler {
    /// Does nothing.
    public func connectionMade(_ transport: DatagramTransport) {}
    /// Does nothing: who needs to know that a datagram arrived has its peer say so.
    public func errorReceived(_ error: IOError, on transport: DatagramTransport) {}
    /// Does nothing: what is sent waits in memory.
    public func pauseWriting(on transport: DatagramTransport) {}
    /// Does nothing.
    public func resumeWriting(on transport: DatagramTransport) {}
    /// Does nothing.
    public func connectionLost(_ transport: DatagramTransport, error: IOError?) {}
    /// Closes after what is queued was sent.
    public func drainStarted(on transport: DatagramTransport) { transport.close() }
}

/// Holds an endpoint's handler in a constant, which is not counted around each call.
///
/// > Thread: On-loop only.
final class DatagramHandlerBinding {
    let handler: any DatagramHandler

    init(_ handler: any DatagramHandler) {
        self.handler = handler
    }

    /// Hands a datagram over.
    @inline(__always)
    func deliver(
        _ datagram: consuming Datagram,
        to transport: DatagramTransport
    ) throws {
        try handler.datagramReceived(datagram, on: transport)
    }
}
