import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized, .ordinarySizes) struct ConnectionWriteTests {
    /// So small that a client which does not read fills them at once.
    private static let smallBuffers: Int32 = 4_096

    @Test(arguments: Place.allCases)
    func doesNotSuspendBelowTheWatermark(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let hasYielded = try await pair.on(place) { connection in
                let yields = SharedCount()
                connection.shard.loop.callSoon { yields.add() }
                for byte in 0..<100 as Range<UInt8> { try await connection.write([byte]) }
                return yields.value > 0
            }
            #expect(!hasYielded, "nothing else ran meanwhile")
            let client = pair.client
            #expect(try await onThread { try client.receive(100) } == Array(0..<100))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func suspendsAboveTheWatermarkUntilThePeerReads(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: Self.smallBuffers)
            let client = pair.client
            let byteCount = 8_000_000
            let written = SharedCount()
            let writing = try await pair.started(place) { connection, ready in
                for start in stride(from: 0, to: byteCount, by: 50_000) {
                    if connection.willWait { ready() }
                    try await connection.write(KnownBytes.bytes(at: start, count: 50_000))
                    written.add(50_000)
                }
            }
            #expect(written.value < byteCount, "it waits for the peer")
            let received = try await onThread { try client.receive(byteCount) }
            try await ended(writing, "the writes")
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func throwsWhatEndedTheConnectionWhileItWaits(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: Self.smallBuffers)
            let writing = try await pair.startedToFill(place)
            pair.client.reset()
            let reason = await thrownReason { try await ended(writing, "a write") }
            #expect(reason == .errno(.connectionReset) || reason == .errno(.brokenPipe))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func refusesASecondWriterAndQueuesNothingOfIt(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: Self.smallBuffers)
            let client = pair.client
            let writing = try await pair.startedToFill(place)
            let (queued, reasons, queuedThen) = try await pair.on(.otherTask) { connection in
                let queued = connection.queuedBytes
                let reasons = [
                    await thrownReason { try await connection.write([1, 2, 3]) },
                    await thrownReason { try await connection.write(received([1, 2, 3])) },
                    await thrownReason {
                        try await connection.write(OwnedBytes(copying: [1].span.bytes))
                    },
                ]
                return (queued, reasons, connection.queuedBytes)
            }
            #expect(reasons == [.busy, .busy, .busy])
            #expect(queuedThen == queued)
            pair.connection.abort()
            _ = await thrownReason { try await ended(writing, "a write") }
            client.close()
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func keepsWhatItQueuedWhenItsTimeIsOver(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: Self.smallBuffers)
            let client = pair.client
            let byteCount = try await pair.on(place) { connection in
                var byteCount = 0
                while true {
                    let piece = KnownBytes.bytes(at: byteCount, count: 50_000)
                    byteCount += 50_000
                    do {
                        try await connection.write(piece, timeout: .milliseconds(1))
                    } catch let error as IOError where error.reason == .deadlineExceeded {
                        return byteCount
                    }
                }
            }
            let received = try await onThread { try client.receive(byteCount) }
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func sendsOwnedBytesInTheirOrder(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: Self.smallBuffers)
            let client = pair.client
            let pieceBytes = 30_000
            let pieceCount = 40
            let writing = pair.start(place) { connection in
                for piece in 0..<pieceCount {
                    let known = KnownBytes.bytes(at: piece * pieceBytes, count: pieceBytes)
                    try await connection.write(OwnedBytes(copying: known.span.bytes))
                    try await connection.write(OwnedBytes(capacity: 8) { _ in })
                }
            }
            let received = try await onThread { try client.receive(pieceBytes * pieceCount) }
            try await ended(writing, "the writes")
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func refusesBytesAfterFinish(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let reasons = try await pair.on(place) { connection in
                try await connection.write([1, 2])
                try connection.finish()
                return [
                    await thrownReason { try await connection.write([3]) },
                    await thrownReason { try await connection.write(received([3])) },
                ]
            }
            #expect(reasons == [.closed, .closed])
            let bytes = try await onThread { (try client.receive(2), try client.ending()) }
            #expect(bytes.0 == [1, 2])
            #expect(bytes.1 == .eof)
            // The other direction is still open.
            try client.send([7])
            #expect(try await pair.on(place) { try await $0.readArray() } == [7])
            pair.end()
        }
    }

    @Test func finishTwiceIsFinishOnce() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            try await pair.on(.handler) { connection in
                try connection.finish()
                try connection.finish()
            }
            #expect(try await onThread { try client.ending() } == .eof)
            pair.end()
        }
    }

    @Test func sendsNothingForNoBytes() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            try await pair.on(.handler) { connection in
                try await connection.write([])
                try await connection.write(received([]))
                try await connection.write([5])
            }
            #expect(try await onThread { try client.receive(1) } == [5])
            pair.end()
        }
    }
}

extension Connection {
    /// More than the high watermark would wait to be sent with one piece more.
    ///
    /// > Thread: on its shard.
    var willWait: Bool { queuedBytes + 50_000 > 262_144 }

    /// What waits to be sent.
    ///
    /// > Thread: on its shard.
    var queuedBytes: Int { core.transport.writeBufferPinnedBytes }
}

extension AcceptedPair {
    /// Writes until a write waits for the peer.
    func startedToFill(_ place: Place) async throws -> Task<Void, any Error> {
        try await started(place) { connection, ready in
            var position = 0
            while true {
                if connection.willWait { ready() }
                try await connection.write(KnownBytes.bytes(at: position, count: 50_000))
                position += 50_000
            }
        }
    }
}
