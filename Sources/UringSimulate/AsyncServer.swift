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

    /// Serves until it is cancelled, soon; its connections end with that.
    func serveForAWhile(_ listener: Listener) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.serve { try await handle($0) } }
            group.addTask {
                try await listener.shard.sleep(for: .microseconds(shared.between(0, 3_000)))
            }
            try await group.next()
            group.cancelAll()
            do {
                try await group.next()
            } catch let error as IOError where error.reason == .cancelled {
                return
            }
        }
    }

    private func serve(_ reader: inout Reader) async throws {
        var kept: ReceivedBytes?
        while let bytes = try await next(&reader) {
            try prepare(&reader)
            if reader.isFull, try await actWhenFull(reader) { return }
            try await pauseFirst(reader.behaviour, reader.connection.shard)
            switch reader.behaviour {
            case .piecewise: try await writeInPieces(bytes.copyToArray(), &reader)
            case .duplex: try await writeWhileReading(bytes.copyToArray(), &reader)
            case .hoard:
                if let before = kept.take() { try await write(before, &reader) }
                kept = consume bytes
            case .halfClose where reader.hasEndedOutput: break
            case .halfClose where reader.isFull:
                try await write(bytes, &reader)
                try reader.endOutput()
            default: try await write(bytes, &reader)
            }
        }
        if let rest = kept.take() { try await write(rest, &reader) }
        if reader.behaviour == .closeAndWait {
            try await reader.connection.close()
        }
    }

    private func write(_ bytes: consuming ReceivedBytes, _ reader: inout Reader) async throws {
        // Counted first: a write that throws has queued its bytes, unless the end came before.
        reader.willWrite(bytes.byteCount)
        try await reader.connection.write(bytes)
    }

    private func prepare(_ reader: inout Reader) throws {
        guard reader.takeFirst() else { return }
        switch reader.behaviour {
        case .narrow: try reader.connection.setWriteBufferLimits(low: 0, high: 1)
        case .hurry:
            let time = Duration.microseconds(shared.between(0, 3_000))
            try reader.connection.setDeadline(.after(time))
        default: break
        }
    }

    /// - Returns: whether the handler returns.
    private func actWhenFull(_ reader: Reader) async throws -> Bool {
        switch reader.behaviour {
        case .fail: throw Refusal()
        case .leaveEarly: return true
        case .abort:
            let (connection, shard) = (reader.connection, reader.connection.shard)
            let target = shared.between(0, shard.count - 1)
            try await shard.submit(to: target) { _ in connection.abort() }
            return false
        default: return false
        }
    }

    private func writeWhileReading(_ bytes: [UInt8], _ reader: inout Reader) async throws {
        reader.willWrite(bytes.count)
        let connection = reader.connection
        async let written: Void = connection.write(bytes)
        var more: ReceivedBytes?
        do {
            more = try await reader.read(timeout: .milliseconds(1))
        } catch let error as IOError where error.reason == .deadlineExceeded {
            // Nothing came meanwhile.
        }
        try await written
        if let more = more.take() { try await write(more, &reader) }
    }

    private func next(_ reader: inout Reader) async throws -> ReceivedBytes? {
        if reader.behaviour == .raced { return try await raceForInput(&reader) }
        guard reader.behaviour == .impatient else { return try await reader.read(timeout: nil) }
        var limit = 300
        while true {
            do {
                limit *= 2
                return try await reader.read(timeout: .microseconds(shared.between(0, limit)))
            } catch let error as IOError where error.reason == .deadlineExceeded {
                if shared.between(0, 3) == 0 { await Task.yield() }
            }
        }
    }

    /// What a read in a child task brought.
    private final class Caught: @unchecked Sendable {
        // Safety: a simulation is on one thread.
        var bytes: ReceivedBytes?
        var hasEnded = false
    }

    /// Reads in child tasks that are cancelled while something comes: nothing may be lost by it.
    private func raceForInput(_ reader: inout Reader) async throws -> ReceivedBytes? {
        let (caught, connection) = (Caught(), reader.connection)
        var limit = 50
        while caught.bytes == nil, !caught.hasEnded {
            if Task.isCancelled { throw CancellationError() }
            // Ever longer: a connection may be idle for hours of a simulation.
            let time = Duration.microseconds(shared.between(0, limit))
            limit *= 2
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let bytes = try await connection.read()
                    caught.hasEnded = bytes == nil
                    caught.bytes = consume bytes
                }
                group.addTask { try await connection.shard.sleep(for: time) }
                try await group.next()
                group.cancelAll()
                do {
                    try await group.next()
                } catch let error as IOError where error.reason == .cancelled {
                    // As it was meant.
                }
            }
        }
        guard let bytes = caught.bytes.take() else { return nil }
        reader.note(bytes)
        return bytes
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
        case .echo, .piecewise, .impatient, .leaveEarly, .fail, .hoard, .duplex, .raced, .narrow,
            .closeAndWait, .halfClose, .abort, .hurry:
            break
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

    private var isPrepared = false
    private(set) var hasEndedOutput = false
    var isFull: Bool { position >= Behaviour.patience }

    /// True once, when the behaviour is known.
    mutating func takeFirst() -> Bool {
        guard !isPrepared else { return false }
        isPrepared = true
        return true
    }

    mutating func endOutput() throws {
        hasEndedOutput = true
        try connection.finish()
    }

    mutating func willWrite(_ count: Int) {
        writtenCount += count
        if number >= 0 { ledger[number].writtenCount = writtenCount }
    }

    mutating func read(timeout: Duration?) async throws -> ReceivedBytes? {
        guard let bytes = try await connection.read(timeout: timeout) else { return nil }
        note(bytes)
        return bytes
    }

    mutating func note(_ bytes: borrowing ReceivedBytes) {
        if bytes.byteCount == 0 { ledger.report("a read brought no bytes") }
        check(bytes.copyToArray())
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
