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
        if behaviour.endsByItself, position >= Behaviour.patience {
            if behaviour == .fail { throw AsyncServer.Refusal() }
            ledger[number].hasFinished = true
            return transport.close()
        }
        if behaviour == .piecewise {
            var rest = bytes.copyToArray()[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(shared.between(1, 200)))
                rest = rest.dropFirst(piece.count)
                if transport.write(piece) { written(piece.count) }
            }
        } else {
            let count = bytes.byteCount
            if transport.write(bytes) { written(count) }
        }
        if behaviour == .slow || behaviour == .impatient { pause(transport) }
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
        return false
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
