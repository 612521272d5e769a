import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct ConnectionDeadlineTests {
    @Test(arguments: Place.allCases)
    func aReadThatTimedOutLosesNothing(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reason = try await pair.on(place) { connection in
                await thrownReason { try await connection.readArray(timeout: .milliseconds(1)) }
            }
            #expect(reason == .deadlineExceeded)
            try pair.client.send([1, 2])
            #expect(try await pair.on(place) { try await $0.readArray() } == [1, 2])
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func readsWithTimeoutsLoseNothingWhateverComesFirst(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let byteCount = 2_000
            async let sending: Void = onThread {
                for position in 0..<byteCount {
                    try client.send(KnownBytes.bytes(at: position, count: 1))
                }
            }
            let bytes = try await pair.on(place) { connection in
                var bytes: [UInt8] = []
                while bytes.count < byteCount {
                    do {
                        bytes += try await connection.readArray(timeout: .microseconds(20))
                    } catch let error as IOError where error.reason == .deadlineExceeded {
                        continue
                    }
                }
                return bytes
            }
            try await sending
            #expect(KnownBytes.matches(bytes, at: 0))
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func aReadInTimeLeavesNoTimer(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reading = try await pair.started(place) { connection, ready in
                ready()
                return try await connection.readArray(timeout: .seconds(3_600))
            }
            try pair.client.send([1])
            #expect(try await ended(reading, "a read") == [1])
            #expect(try await run.on { $0.loop.timers.count } == 0)
            pair.end()
        }
    }

    @Test(arguments: Place.allCases)
    func theDeadlineEndsAReadThatWaits(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let reason = try await pair.on(place) { connection in
                try connection.setDeadline(.after(.milliseconds(5)))
                return await thrownReason { try await connection.readArray() }
            }
            #expect(reason == .deadlineExceeded)
            #expect(try await onThread { try client.ending() } == .reset)
            pair.end()
        }
    }

    @Test(.ordinarySizes, arguments: Place.allCases)
    func theDeadlineEndsAWriteThatWaits(_ place: Place) async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let writing = try await pair.startedToFill(place)
            try await pair.on(.otherTask) { try $0.setDeadline(.now) }
            #expect(await thrownReason { try await ended(writing, "a write") } == .deadlineExceeded)
            pair.end()
        }
    }

    @Test func theDeadlineEndsACloseThatWaits() async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let closing = try await pair.started(.handler) { connection, ready in
                try connection.setWriteBufferLimits(low: 4_000_000, high: 8_000_000)
                for _ in 0..<100 {
                    try await connection.write([UInt8](repeating: 1, count: 50_000))
                }
                try connection.setDeadline(.after(.milliseconds(20)))
                ready()
                try await connection.close()
            }
            #expect(await thrownReason { try await ended(closing, "a close") } == .deadlineExceeded)
            pair.end()
        }
    }

    @Test func aDeadlineThatIsTakenAwayEndsNothing() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try await pair.on(.handler) { connection in
                try connection.setDeadline(.after(.milliseconds(1)))
                try connection.setDeadline(nil)
                try await connection.shard.sleep(for: .milliseconds(5))
                try await connection.write([1])
            }
            let client = pair.client
            #expect(try await onThread { try client.receive(1) } == [1])
            pair.end()
        }
    }

    @Test func theTimeCountsFromTheCall() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let isEarly = try await pair.on(.handler) { connection in
                // A long turn: the loop's own reading of the clock is old by now.
                let turn = Deadline.after(.milliseconds(30))
                while Deadline.now < turn {}
                let end = Deadline.after(.milliseconds(20))
                _ = await thrownReason {
                    try await connection.readArray(timeout: .milliseconds(20))
                }
                return Deadline.now < end
            }
            #expect(!isEarly)
            pair.end()
        }
    }
}
