import UringCore
import UringTesting

/// One connection of the server in the callback face.
final class CallbackServer: StreamHandler {
    private enum Stage { case new, open, lost }

    private let shard: Shard
    private let ledger: Ledger
    private let shared: SharedRandom
    private var stage = Stage.new
    private var position = 0
    private var behaviour = Behaviour.echo
    private var number = -1
    private var writtenCount = 0
    private var isPaused = false
    private var hasEnded = false
    private var isPrepared = false
    private var hasEndedOutput = false
    private var kept: ReceivedBytes?

    init(shard: Shard, ledger: Ledger, shared: SharedRandom) {
        self.shard = shard
        self.ledger = ledger
        self.shared = shared
    }

    private func expect(_ stage: Stage, _ call: String) {
        if self.stage != stage { ledger.report("\(call) was called while \(self.stage)") }
        if !shard.isCurrent { ledger.report("\(call) was called elsewhere than on its shard") }
    }

    func connectionMade(_ transport: StreamTransport) {
        expect(.new, "connectionMade")
        stage = .open
        ledger.openHandlers += 1
    }

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        expect(.open, "dataReceived")
        if hasEnded { ledger.report("dataReceived was called after eofReceived") }
        check(bytes.copyToArray())
        try prepare(transport)
        if position >= Behaviour.patience, try actWhenFull(transport) { return }
        let count = bytes.byteCount
        switch behaviour {
        case .piecewise: writeInPieces(bytes.copyToArray(), transport)
        case .duplex:
            let copy = bytes.copyToArray()
            shard.loop.callSoon { [self] in if transport.write(copy) { written(count) } }
        case .hoard:
            if let before = kept.take() { write(before, transport) }
            kept = consume bytes
        case .halfClose where hasEndedOutput: break
        case .halfClose where position >= Behaviour.patience:
            write(bytes, transport)
            hasEndedOutput = true
            transport.writeEOF()
        default: write(bytes, transport)
        }
        if behaviour == .slow || behaviour == .impatient { pause(transport) }
    }

    private func write(_ bytes: consuming ReceivedBytes, _ transport: StreamTransport) {
        let count = bytes.byteCount
        if transport.write(bytes) { written(count) }
    }

    private func writeInPieces(_ bytes: [UInt8], _ transport: StreamTransport) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(shared.between(1, 200)))
            rest = rest.dropFirst(piece.count)
            if transport.write(piece) { written(piece.count) }
        }
    }

    private func prepare(_ transport: StreamTransport) throws {
        guard !isPrepared else { return }
        isPrepared = true
        switch behaviour {
        case .narrow: try transport.setWriteBufferLimits(low: 0, high: 1)
        case .hurry:
            transport.setDeadline(.after(.microseconds(shared.between(0, 3_000))))
        default: break
        }
    }

    /// - Returns: whether the bytes at hand are dropped.
    private func actWhenFull(_ transport: StreamTransport) throws -> Bool {
        switch behaviour {
        case .fail: throw AsyncServer.Refusal()
        case .leaveEarly:
            ledger[number].hasFinished = true
            transport.close()
            return true
        case .abort:
            shard.loop.callSoon { transport.abort() }
            return false
        default: return false
        }
    }

    private func written(_ count: Int) {
        writtenCount += count
        if number >= 0 { ledger[number].writtenCount = writtenCount }
    }

    private func pause(_ transport: StreamTransport) {
        guard !isPaused, stage == .open else { return }
        isPaused = true
        transport.pauseReading()
        shard.loop.callLater(.microseconds(shared.between(0, 2_000))) { [self] in
            isPaused = false
            if stage == .open { transport.resumeReading() }
        }
    }

    func eofReceived(on transport: StreamTransport) -> Bool {
        expect(.open, "eofReceived")
        if hasEnded { ledger.report("eofReceived was called twice") }
        hasEnded = true
        ledger[number].hasFinished = true
        if let rest = kept.take() { write(rest, transport) }
        // What `callSoon` will write comes before the close.
        guard behaviour == .duplex else { return false }
        shard.loop.callSoon { transport.close() }
        return true
    }

    func pauseWriting(on transport: StreamTransport) {
        transport.pauseReading()
    }

    func resumeWriting(on transport: StreamTransport) {
        if !isPaused { transport.resumeReading() }
    }

    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        expect(.open, "connectionLost")
        stage = .lost
        ledger.openHandlers -= 1
        if let error { ledger[number].failure = "\(error)" }
    }

    private func check(_ bytes: [UInt8]) {
        for byte in bytes {
            switch position {
            case 0: behaviour = Behaviour(rawValue: byte) ?? .echo
            case 1: number = Int(byte)
            default:
                if byte != ClientPlan.byte(position, of: number, behaviour) {
                    ledger.report("the server got a wrong byte at \(position) of client \(number)")
                }
            }
            position += 1
        }
        if number >= 0 { ledger[number].readCount = position }
    }
}
