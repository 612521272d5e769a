import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct ConnectionReadTests {
    @Test(.ordinarySizes, arguments: Place.allCases)
    func doesNotSuspendWhileBytesAreParked(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let connection = pair.connection
            try pair.client.send([1])
            try await run.eventually("the first piece", on: connection.shard) {
                $0.loop.metrics.buffersLent == 1
            }
            for piece in 2...3 {
                try pair.client.send([UInt8(piece)])
                try await run.eventually("piece \(piece)", on: connection.shard) { _ in
                    // The first behind the one to be taken next keeps its buffer, the others are copied.
                    connection.heldBytes == 16_384 + piece - 2
                }
            }
            let (pieces, hasYielded) = try await pair.on(place) { connection in
                let yields = SharedCount()
                connection.shard.loop.callSoon { yields.add() }
                var pieces: [[UInt8]] = []
                for _ in 1...3 { pieces.append(try await connection.readArray()) }
                return (pieces, yields.value > 0)
            }
            #expect(pieces == [[1], [2], [3]])
            #expect(!hasYielded, "nothing else ran meanwhile")
            pair.end()
        }
    }

    @Test(.ordinarySizes, .enabled(if: countsSteps), arguments: Place.allCases)
    func wakesItsTaskOnceForAReadableBatch(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let byteCount = 48_000
            let reading = try await pair.started(place) { connection, ready in
                let before = connection.shard.loop.queuedStepCount
                ready()
                let bytes = try await connection.readArray(atLeast: byteCount)
                return (bytes, connection.shard.loop.queuedStepCount - before)
            }
            // On the shard's own thread, so that it sees nothing before all of it is there.
            try await pair.on(.otherTask) { _ in
                for start in stride(from: 0, to: byteCount, by: 8_000) {
                    try client.send(KnownBytes.bytes(at: start, count: 8_000))
                }
            }
            let (bytes, stepCount) = try await ended(reading, "a read")
            #expect(bytes.count == byteCount)
            #expect(KnownBytes.matches(bytes, at: 0))
            #expect(stepCount == 1)
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func waitsForBytesThatComeLater(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            try pair.client.send([4, 5, 6])
            #expect(try await ended(reading, "a read") == [4, 5, 6])
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func seesTheEndBehindParkedBytes(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            // Two pieces and the end in one go, while the shard looks away.
            let client = pair.client
            try await pair.on(.otherTask) { _ in
                try client.send(KnownBytes.bytes(at: 0, count: 40_000))
                client.endOutput()
            }
            let (bytes, ends) = try await pair.on(place) { connection in
                let bytes = try await connection.readArray(atLeast: 40_000)
                return (
                    bytes, [try await connection.readArray(), try await connection.readArray()]
                )
            }
            #expect(bytes == KnownBytes.bytes(at: 0, count: 40_000))
            #expect(ends == [[], []], "the end stays the end")
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func seesOneByteAndTheEndInOneGo(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            try await pair.on(.otherTask) { _ in
                try client.send([9])
                client.endOutput()
            }
            let reads = try await pair.on(place) { connection in
                [try await connection.readArray(), try await connection.readArray()]
            }
            #expect(reads == [[9], []])
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func waitsForAnEndThatComesLater(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            pair.client.endOutput()
            #expect(try await ended(reading, "a read") == [])
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func throwsWhatEndedTheConnectionWhileItWaits(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            pair.client.reset()
            let reason = await thrownReason { try await ended(reading, "a read") }
            #expect(reason == .errno(.connectionReset))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func throwsWhatEndedTheConnectionBehindParkedBytes(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try pair.client.send([1])
            try await run.eventually("a parked piece", on: pair.connection.shard) {
                $0.loop.metrics.buffersLent == 1
            }
            pair.client.reset()
            try await run.eventually("the end", on: pair.connection.shard) {
                $0.loop.metrics.openConnections == 0
            }
            let reasons = try await pair.on(place) { connection in
                [
                    await thrownReason { try await connection.readArray(atLeast: 2) },
                    await thrownReason { try await connection.write([1]) },
                    await thrownReason { try await connection.close() },
                ]
            }
            #expect(reasons == Array(repeating: .errno(.connectionReset), count: 3))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func readsAllThatCameBeforeAReset(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try await run.receiveThreePiecesAndAReset(pair)
            let (bytes, reason) = try await pair.on(place) { connection in
                (
                    try await connection.readArray(atLeast: 120),
                    await thrownReason { try await connection.readArray() }
                )
            }
            #expect(bytes == KnownBytes.bytes(at: 0, count: 120))
            #expect(reason == .errno(.connectionReset))
            pair.end()
        }
    }

    @Test func keepsNothingOfAResetConnectionWhoseHandlerHasEnded() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try await run.receiveThreePiecesAndAReset(pair)
            pair.end()
            try await run.eventually("no buffer is lent", on: pair.connection.shard) {
                $0.loop.metrics.buffersLent == 0
            }
            // Its `Connection` is still there, and says what it was.
            let reason = try await pair.on(.otherTask) { connection in
                await thrownReason { try await connection.readArray() }
            }
            #expect(reason == .errno(.connectionReset))
        }
    }

    @Test(arguments: Place.allCases)
    func refusesASecondReader(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            let second = try await pair.on(.otherTask) { connection in
                await thrownReason { try await connection.readArray() }
            }
            #expect(second == .busy)
            try pair.client.send([1])
            #expect(try await ended(reading, "the first read") == [1])
            pair.end()
        }
    }

    @Test func givesBytesToTheReaderThatWasWokenForThem() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let connection = pair.connection
            let reading = try await pair.started(.handler) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            // Asks in the turn in which the bytes have come and the reader has not run yet.
            let second = LeftValue<IOError.Reason?>()
            @Sendable func ask() {
                guard connection.shard.loop.metrics.buffersLent > 0 else {
                    return connection.shard.loop.callSoon { ask() }
                }
                Task.immediate(executorPreference: connection.shard.executor) {
                    second.put(await thrownReason { try await connection.readArray() })
                }
            }
            connection.shard.loop.callSoonThreadsafe { ask() }
            try pair.client.send([1])
            #expect(try await ended(reading, "the first read") == [1])
            #expect(try await onThread { try second.take("the second read") } == .busy)
            pair.end()
        }
    }
}

extension ShardedRun {
    /// Parks three pieces of 40 bytes, of which nobody has read any, and then the peer resets.
    fileprivate func receiveThreePiecesAndAReset(_ pair: AcceptedPair) async throws {
        let connection = pair.connection
        for piece in 0..<3 {
            try pair.client.send(KnownBytes.bytes(at: piece * 40, count: 40))
            try await eventually("piece \(piece)", on: connection.shard) { shard in
                piece == 0
                    ? shard.loop.metrics.buffersLent == 1
                    : connection.heldBytes >= 40 * piece
            }
        }
        pair.client.reset()
        try await eventually("the end", on: connection.shard) {
            $0.loop.metrics.openConnections == 0
        }
    }
}

/// Only debug builds count the steps of tasks.
#if DEBUG
let countsSteps = true
#else
let countsSteps = false
#endif
