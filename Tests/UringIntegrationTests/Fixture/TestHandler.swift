@testable import UringEngine

/// A handler that records its calls and holds them to their order.
///
/// Its state is read on the loop.
class TestHandler: StreamHandler, @unchecked Sendable {
    private(set) var transport: StreamTransport?
    private(set) var loss: IOError?
    private(set) var lossCount = 0
    /// Calls that came before `connectionMade` or after `connectionLost`: none should.
    private(set) var misplacedCalls = 0
    private(set) var receivedBytes = 0
    private(set) var receiveCount = 0
    private(set) var eofCount = 0
    private(set) var pauseCount = 0
    private(set) var resumeCount = 0
    let lost = Gate()
    let ended = Gate()
    let paused = Gate()
    let resumed = Gate()
    /// Runs in `connectionMade`.
    var whenMade: (StreamTransport) throws -> Void = { _ in }
    /// Runs in `eofReceived`; true keeps the connection half-open.
    var whenEnded: (StreamTransport) throws -> Bool = { _ in false }

    init(whenMade: @escaping (StreamTransport) throws -> Void = { _ in }) {
        self.whenMade = whenMade
    }

    /// What a kind of handler does with bytes.
    func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {}
    /// What it does when it shall stop writing.
    func writingPaused(on transport: StreamTransport) throws {}
    /// What it does when it may go on.
    func writingResumed(on transport: StreamTransport) throws {}

    private func note() {
        if transport == nil || lossCount > 0 { misplacedCalls += 1 }
    }

    func connectionMade(_ transport: StreamTransport) throws {
        if self.transport != nil { misplacedCalls += 1 }
        self.transport = transport
        try whenMade(transport)
    }

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        note()
        receivedBytes += bytes.byteCount
        receiveCount += 1
        try take(bytes, on: transport)
    }

    func eofReceived(on transport: StreamTransport) throws -> Bool {
        note()
        eofCount += 1
        ended.open()
        return try whenEnded(transport)
    }

    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        note()
        lossCount += 1
        loss = error
        lost.open()
    }

    func pauseWriting(on transport: StreamTransport) throws {
        note()
        pauseCount += 1
        paused.open()
        try writingPaused(on: transport)
    }

    func resumeWriting(on transport: StreamTransport) throws {
        note()
        resumeCount += 1
        resumed.open()
        try writingResumed(on: transport)
    }
}
