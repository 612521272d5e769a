import UringCore
import UringTesting

/// The server in the async face.
struct AsyncServer: Sendable {
    struct Refusal: Error {}

    let ledger: Ledger
    let shared: SharedRandom

    func handle(_ connection: Connection) async throws {
        ledger.openHandlers += 1
        defer { ledger.openHandlers -= 1 }
        var reader = Reader(connection: connection, ledger: ledger)
        do {
            try await serve(&reader)
            ledger[reader.number].hasFinished = true
        } catch {
            ledger[reader.number].failure = "\(error)"
            throw error
        }
    }

    private func serve(_ reader: inout Reader) async throws {
        while let bytes = try await next(&reader) {
            let behaviour = reader.behaviour
            if behaviour.endsByItself, reader.position >= Behaviour.patience {
                if behaviour == .fail { throw Refusal() }
                return
            }
            try await pauseFirst(behaviour, reader.connection.shard)
            let count = bytes.byteCount
            if behaviour == .piecewise {
                try await writeInPieces(bytes.copyToArray(), &reader)
            } else {
                // Counted first: a write that throws has queued its bytes, unless the end came before.
                reader.willWrite(count)
                try await reader.connection.write(bytes)
            }
        }
    }

    private func next(_ reader: inout Reader) async throws -> ReceivedBytes? {
        guard reader.behaviour == .impatient else { return try await reader.read(timeout: nil) }
        while true {
            do {
                return try await reader.read(timeout: .microseconds(shared.between(0, 300)))
            } catch let error as IOError where error.reason == .deadlineExceeded {
                if shared.between(0, 3) == 0 { await Task.yield() }
            }
        }
    }

    private func pauseFirst(_ behaviour: Behaviour, _ shard: Shard) async throws {
        switch behaviour {
        case .slow: try await shard.sleep(for: .microseconds(shared.between(0, 2_000)))
        case .submit:
            let target = shared.between(0, shard.count - 1)
            let index = try await shard.submit(to: target) { other in
                if !other.isCurrent { ledger.report("a submit ran elsewhere than on its shard") }
                return other.index
            }
            if index != target { ledger.report("a submit to shard \(target) came to \(index)") }
            if !shard.isCurrent { ledger.report("a submit did not come back to its shard") }
        case .echo, .piecewise, .impatient, .leaveEarly, .fail: break
        }
    }

    private func writeInPieces(_ bytes: [UInt8], _ reader: inout Reader) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(shared.between(1, 200)))
            rest = rest.dropFirst(piece.count)
            reader.willWrite(piece.count)
            try await reader.connection.write(piece)
        }
    }
}

/// Reads one connection and checks every byte.
struct Reader {
    let connection: Connection
    let ledger: Ledger
    private(set) var position = 0
    private(set) var behaviour = Behaviour.echo
    /// The client; -1 before its number has come.
    private(set) var number = -1

    init(connection: Connection, ledger: Ledger) {
        self.connection = connection
        self.ledger = ledger
    }

    private var writtenCount = 0

    mutating func willWrite(_ count: Int) {
        writtenCount += count
        if number >= 0 { ledger[number].writtenCount = writtenCount }
    }

    mutating func read(timeout: Duration?) async throws -> ReceivedBytes? {
        guard let bytes = try await connection.read(timeout: timeout) else { return nil }
        if bytes.byteCount == 0 { ledger.report("a read brought no bytes") }
        check(bytes.copyToArray())
        return bytes
    }

    private mutating func check(_ bytes: [UInt8]) {
        for byte in bytes {
            switch position {
            case 0: behaviour = Behaviour(rawValue: byte) ?? .echo
            case 1: number = Int(byte)
            default:
                if byte != ClientPlan.byte(position, of: number, behaviour) {
                    ledger.report("the server read a wrong byte at \(position) of client \(number)")
                }
            }
            position += 1
        }
        if number >= 0 { ledger[number].readCount = position }
    }
}

/// Chance for handlers, from the simulation's seed.
///
/// > Thread: The simulation's.
final class SharedRandom: @unchecked Sendable {
    // Safety: a simulation is on one thread.
    private var random: SimulationRandom

    init(_ random: SimulationRandom) {
        self.random = random
    }

    func between(_ low: Int, _ high: Int) -> Int { random.between(low, high) }
}
