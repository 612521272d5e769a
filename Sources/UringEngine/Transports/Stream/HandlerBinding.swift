/// Holds a stream's handler in a constant.
///
/// A variable's object is counted around each call, since the call might replace it; a constant's
/// is not (about 45 user instructions a message). The stream lets the binding go with
/// `connectionLost`.
///
/// > Thread: On-loop only.
final class HandlerBinding {
    let handler: any StreamHandler

    init(_ handler: any StreamHandler) {
        self.handler = handler
    }

    /// Hands bytes over.
    @inline(__always)
    func deliver(_ bytes: consuming ReceivedBytes, to transport: StreamTransport) throws {
        try handler.dataReceived(bytes, on: transport)
    }
}
