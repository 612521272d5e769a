import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct ConnectionEndTests {
    // MARK: close

    @Test(arguments: Place.allCases)
    func closeWaitsUntilEverythingWasSent(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let client = pair.client
            let closing = try await pair.started(place) { connection, ready in
                try connection.setWriteBufferLimits(low: 4_000_000, high: 8_000_000)
                for start in stride(from: 0, to: 6_000_000, by: 50_000) {
                    try await connection.write(KnownBytes.bytes(at: start, count: 50_000))
                }
                ready()
                try await connection.close()
                return connection.queuedBytes
            }
            let isClosing = try await pair.on(.otherTask) { ($0.isClosing, $0.queuedBytes > 0) }
            #expect(isClosing == (true, true))
            let received = try await onThread { try client.receive(6_000_000) }
            #expect(KnownBytes.matches(received, at: 0))
            #expect(try await ended(closing, "the close") == 0)
            #expect(try await onThread { try client.ending() } == .eof)
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func closeThrowsWhenThePeerResets(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let closing = try await pair.startedToCloseFilled(place)
            pair.client.reset()
            let reason = await thrownReason { try await ended(closing, "the close") }
            #expect(reason == .errno(.connectionReset) || reason == .errno(.brokenPipe))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func closeGoesOnAfterItsTime(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let client = pair.client
            let reason = try await pair.on(place) { connection in
                try connection.setWriteBufferLimits(low: 4_000_000, high: 8_000_000)
                for start in stride(from: 0, to: 6_000_000, by: 50_000) {
                    try await connection.write(KnownBytes.bytes(at: start, count: 50_000))
                }
                return await thrownReason { try await connection.close(timeout: .milliseconds(1)) }
            }
            #expect(reason == .deadlineExceeded)
            let received = try await onThread {
                (try client.receive(6_000_000), try client.ending())
            }
            #expect(KnownBytes.matches(received.0, at: 0))
            #expect(received.1 == .eof)
            pair.end()
        }
    }

    @Test func closeTwiceWaitsForTheSame() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try await pair.on(.handler) { connection in
                try await connection.write([1])
                try await connection.close()
                try await connection.close()
            }
            pair.end()
        }
    }

    @Test func refusesASecondThatWaitsForTheClose() async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let closing = try await pair.startedToCloseFilled(.handler)
            let second = try await pair.on(.otherTask) { connection in
                await thrownReason { try await connection.close() }
            }
            #expect(second == .busy)
            pair.connection.abort()
            _ = try await ended(closing, "the close")
            pair.end()
        }
    }

    @Test func closeEndsAReadThatWaits() async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let reading = try await pair.started(.otherTask) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            // The peer takes nothing: the end of the flush is far away.
            let closing = try await pair.startedToCloseFilled(.handler)
            #expect(await thrownReason { try await ended(reading, "a read") } == .closed)
            pair.connection.abort()
            _ = try await ended(closing, "the close")
            pair.end()
        }
    }

    // MARK: Afterwards

    /// How a connection is ended by its own side.
    enum Ending: CaseIterable {
        case close
        case abort
        case abortElsewhere
        case deadline
    }

    @Test(arguments: Ending.allCases, Place.allCases)
    func nothingWorksAfterwards(_ ending: Ending, _ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            // Received and not taken: it is not to be read any more.
            try pair.client.send([1])
            try await run.eventually("a parked piece", on: pair.connection.shard) {
                $0.loop.metrics.buffersLent == 1
            }
            let reasons = try await pair.on(place) { connection in
                switch ending {
                case .close: try await connection.close()
                case .abort: connection.abort()
                case .abortElsewhere:
                    try await onThread { connection.abort() }
                    try await connection.shard.submit(to: 0) { _ in }
                case .deadline:
                    try connection.setDeadline(.now)
                    let shard = connection.shard
                    while shard.loop.metrics.openConnections > 0 {
                        try await shard.sleep(for: .zero)
                    }
                    try await shard.sleep(for: .zero)
                }
                return [
                    await thrownReason { try await connection.readArray() },
                    await thrownReason { try await connection.write([1]) },
                    await thrownReason { try await connection.write(received([1])) },
                    await thrownReason { try connection.finish() },
                ]
            }
            #expect(Set(reasons) == [ending == .deadline ? .deadlineExceeded : .closed])
            pair.end()
        }
    }

    @Test func isClosingAfterClose() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let facts = try await pair.on(.handler) { connection in
                let before = connection.isClosing
                try await connection.close()
                return (before, connection.isClosing)
            }
            #expect(facts == (false, true))
            pair.end()
        }
    }

    // MARK: abort

    @Test(arguments: Place.allCases)
    func abortOnAnotherThreadEndsARead(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            try await onThread { pair.connection.abort() }
            #expect(await thrownReason { try await ended(reading, "a read") } == .closed)
            #expect(try await onThread { try client.ending() } == .reset)
            pair.end()
        }
    }

    @Test(.ordinarySizes, arguments: Place.allCases)
    func abortOnAnotherThreadEndsAWrite(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let writing = try await pair.startedToFill(place)
            try await onThread { pair.connection.abort() }
            #expect(await thrownReason { try await ended(writing, "a write") } == .closed)
            pair.end()
        }
    }

    @Test func abortAfterTheRunIsHarmless() async throws {
        let kept = LeftValue<Connection>()
        try await withShards { run in
            let pair = try await run.pair()
            kept.put(pair.connection)
            pair.end()
        } whenEnded: {
            let connection = try kept.take("a connection")
            connection.abort()
            #expect(!connection.isClosing, "nobody is on its shard any more")
            #expect(await thrownReason { try await connection.readArray() } == .wrongShard)
        }
    }
}

extension AcceptedPair {
    /// Begins a close that waits for the peer.
    func startedToCloseFilled(_ place: Place) async throws -> Task<Void, any Error> {
        try await started(place) { connection, ready in
            try connection.setWriteBufferLimits(low: 4_000_000, high: 8_000_000)
            for _ in 0..<100 { try await connection.write([UInt8](repeating: 1, count: 50_000)) }
            ready()
            try await connection.close()
        }
    }
}
