internal import UringCore

/// Sends back what comes, without a copy.
///
/// It has no state, so that one object serves every connection.
final class EchoHandler: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        transport.write(bytes)
    }

    /// The peer does not take its echo: take no more from it.
    func pauseWriting(on transport: StreamTransport) {
        transport.pauseReading()
    }

    func resumeWriting(on transport: StreamTransport) {
        transport.resumeReading()
    }
}
