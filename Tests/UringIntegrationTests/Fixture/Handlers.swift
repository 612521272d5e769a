@testable import UringEngine

/// Sends everything back, and reads no faster than it can write.
final class EchoHandler: TestHandler, @unchecked Sendable {
    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        transport.write(bytes)
    }

    override func writingPaused(on transport: StreamTransport) {
        transport.pauseReading()
    }

    override func writingResumed(on transport: StreamTransport) {
        transport.resumeReading()
    }
}

/// Holds what it receives against a pattern, and says when all of it came.
class CheckingHandler: TestHandler, @unchecked Sendable {
    private let pattern: Pattern
    private let expectedBytes: Int
    private(set) var firstWrongByte: Int?
    let complete = Gate()

    init(
        _ pattern: Pattern,
        expecting expectedBytes: Int,
        whenMade: @escaping (StreamTransport) throws -> Void = { _ in }
    ) {
        self.pattern = pattern
        self.expectedBytes = expectedBytes
        super.init(whenMade: whenMade)
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        let position = receivedBytes - bytes.byteCount
        let isRight = bytes.withBytes { span in
            span.withUnsafeBytes { pattern.matches($0, at: position) }
        }
        if !isRight, firstWrongByte == nil { firstWrongByte = position }
        if position < expectedBytes, receivedBytes >= expectedBytes { complete.open() }
    }
}

/// Sends a stretch of a pattern as fast as it may, then does what it is told to.
final class SendingHandler: TestHandler, @unchecked Sendable {
    private let pattern: Pattern
    private let totalBytes: Int
    private let pieceBytes: Int
    private let whenSent: (StreamTransport) -> Void
    private var position = 0
    private var isPaused = false
    private var isPumping = false

    init(
        _ pattern: Pattern,
        totalBytes: Int,
        pieceBytes: Int = 65_536,
        whenSent: @escaping (StreamTransport) -> Void = { _ in }
    ) {
        self.pattern = pattern
        self.totalBytes = totalBytes
        self.pieceBytes = pieceBytes
        self.whenSent = whenSent
        super.init()
    }

    override func connectionMade(_ transport: StreamTransport) throws {
        try super.connectionMade(transport)
        pump(transport)
    }

    override func writingPaused(on transport: StreamTransport) {
        isPaused = true
    }

    override func writingResumed(on transport: StreamTransport) {
        isPaused = false
        pump(transport)
    }

    private func pump(_ transport: StreamTransport) {
        guard !isPumping, position < totalBytes else { return }
        isPumping = true
        while !isPaused, position < totalBytes {
            let count = min(pieceBytes, totalBytes - position)
            transport.write(pattern.bytes(at: position, count: count))
            position += count
        }
        isPumping = false
        if position == totalBytes { whenSent(transport) }
    }
}

/// Stops reading with the first bytes, and keeps count of what comes all the same.
final class PausingHandler: TestHandler, @unchecked Sendable {
    let firstBytes = Gate()

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        guard receiveCount == 1 else { return }
        transport.pauseReading()
        firstBytes.open()
    }
}
