import Testing

@testable import UringEngine

/// A handler that writes down what happens, and does what a test hangs into it.
final class RecordingHandler: StreamHandler {
    struct Failure: Error, Equatable {}

    /// `made`, `data 3`, `eof`, `pause`, `resume`, `lost` or `lost: why`, in order.
    var log: [String] = []
    var received: [UInt8] = []
    var error: IOError?
    private var connected: StreamTransport?
    var staysOpenAfterEOF = false
    var onMade: (StreamTransport) throws -> Void = { _ in }
    var onData: (consuming ReceivedBytes, StreamTransport) throws -> Void = { _, _ in }
    var onEOF: (StreamTransport) throws -> Void = { _ in }
    var onPause: (StreamTransport) throws -> Void = { _ in }
    var onResume: (StreamTransport) throws -> Void = { _ in }
    var onLost: (StreamTransport) -> Void = { _ in }

    /// The transport, once the connection was made.
    var transport: StreamTransport {
        guard let connected else { preconditionFailure("the connection was made") }
        return connected
    }

    func connectionMade(_ transport: StreamTransport) throws {
        connected = transport
        note("made")
        try onMade(transport)
    }

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        note("data \(bytes.byteCount)")
        received += bytes.copyToArray()
        try onData(bytes, transport)
    }

    func eofReceived(on transport: StreamTransport) throws -> Bool {
        note("eof")
        try onEOF(transport)
        return staysOpenAfterEOF
    }

    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        note(error.map { "lost: \($0.reason)" } ?? "lost")
        self.error = error
        onLost(transport)
    }

    func pauseWriting(on transport: StreamTransport) throws {
        note("pause")
        try onPause(transport)
    }

    func resumeWriting(on transport: StreamTransport) throws {
        note("resume")
        try onResume(transport)
    }

    private func note(_ event: String) {
        #expect(log.first == "made" || event == "made", "connectionMade comes first")
        #expect(!log.contains { $0.hasPrefix("lost") }, "connectionLost comes last, and once")
        log.append(event)
    }
}

extension RecordingHandler {
    /// Writes everything back.
    func echo() {
        onData = { bytes, transport in transport.write(bytes) }
    }
}

/// `count` bytes that tell their place.
func pattern(_ count: Int, from first: Int = 0) -> [UInt8] {
    (first..<first + count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
}
