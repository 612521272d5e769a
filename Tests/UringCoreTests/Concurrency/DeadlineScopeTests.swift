import Testing

@testable import UringCore
@testable import UringEngine

/// `withDeadline` ends every wait inside of it, and nothing else.
@Suite(.serialized) struct DeadlineScopeTests {
    /// A wait of this library that nothing else ends.
    enum Wait: CaseIterable {
        case read
        case readOfAnotherTask
        case readInAChild
        case readInAsyncLet
        case readWithALongTimeout
        case write
        case close
        case sleep
        case untilDrain
        case executor
        case channelReceive
        case channelSend
        case semaphore
        case gate
        case event
        case submit
    }

    @Test(arguments: Wait.allCases)
    func endsAWait(_ wait: Wait) async throws {
        try await withShards(2) { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let hold = EventGate()
            let place: Place = wait == .readOfAnotherTask ? .otherTask : .handler
            let reason = try await pair.on(place) { connection in
                try connection.setWriteBufferLimits(low: 0, high: 8_000_000)
                if wait == .write || wait == .close {
                    try await connection.write([UInt8](repeating: 1, count: 7_000_000))
                }
                return await thrownReason {
                    try await connection.shard.withTimeout(.milliseconds(20)) {
                        try await connection.perform(wait, hold)
                    }
                }
            }
            hold.open()
            #expect(reason == .deadlineExceeded)
            pair.client.reset()
            pair.end()
        }
    }

    @Test func theNearestDeadlineWins() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                let outer = Deadline.after(.seconds(3_600))
                let inner = Deadline.after(.seconds(60))
                return try await shard.withDeadline(inner) {
                    let there = try await shard.withDeadline(outer) { Shard.currentDeadline }
                    return [there == inner, Shard.currentDeadline == inner]
                } + [Shard.currentDeadline == nil]
            }
            #expect(facts == [true, true, true])
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.withTimeout(.milliseconds(5)) {
                        try await shard.withTimeout(.seconds(3_600)) {
                            try await shard.sleep(for: .seconds(3_600))
                        }
                    }
                }
            }
            #expect(reason == .deadlineExceeded)
        }
    }

    @Test func whatItEndedHasLostNothingAndCodeAfterTheScopeGoesOn() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let bytes = try await pair.on(.handler) { connection in
                let reason = await thrownReason {
                    try await connection.shard.withTimeout(.milliseconds(5)) {
                        try await connection.readArray()
                    }
                }
                #expect(reason == .deadlineExceeded)
                try client.send([1, 2, 3])
                return try await connection.readArray(atLeast: 3)
            }
            #expect(bytes == [1, 2, 3])
            pair.end()
        }
    }

    @Test func whatIsReadyDoesNotLookAtTheTime() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try pair.client.send([1])
            try await run.eventually("a parked piece", on: pair.connection.shard) {
                $0.loop.metrics.buffersLent == 1
            }
            let bytes = try await pair.on(.handler) { connection in
                try await connection.shard.withTimeout(.zero) { try await connection.readArray() }
            }
            #expect(bytes == [1])
            pair.end()
        }
    }

    /// The handlers of a server in a scope have its deadline, though each watches its waits by itself.
    @Test func handlersOfAServerInAScopeHaveItsDeadline() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let reasons = SharedList<IOError.Reason?>()
            let ends = EventGate()
            let serving = run.task { shard in
                try await shard.withTimeout(.milliseconds(200)) {
                    try await listener.serve(onConnectionError: {
                        reasons.append(($0 as? IOError)?.reason)
                        ends.open()
                    }) { connection in
                        while let bytes = try await connection.read() {
                            try await connection.write(bytes)
                        }
                    }
                }
            }
            try await onThread {
                let client = try BlockingClient(to: listener.address)
                try client.exchange([1, 2])
                #expect(try client.ending() == .reset)
            }
            try await ends.opened("a connection's end")
            #expect(await thrownReason { try await ended(serving, "serve") } == .deadlineExceeded)
            #expect(reasons.all == [.deadlineExceeded])
        }
    }

    @Test func aSleepThatEndsBeforeTheDeadlineEndsWell() async throws {
        try await withShards { run in
            try await run.on { shard in
                try await shard.withTimeout(.seconds(3_600)) {
                    try await shard.sleep(for: .milliseconds(1))
                    try await shard.sleep(for: .zero)
                }
            }
        }
    }

    @Test func leavesNoScopeOpen() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            for _ in 0..<10 {
                _ = try await pair.on(.handler) { connection in
                    await thrownReason {
                        try await connection.shard.withTimeout(.zero) {
                            try await connection.readArray()
                        }
                    }
                }
            }
            #expect(try await run.on { $0.state.deadlineScopeCount } == 0)
            pair.end()
        }
    }

    @Test func elsewhereThanOnTheShardIsWrongShard() async throws {
        try await withShards { run in
            let shard = run.shards[0]
            let reason = await thrownReason { try await shard.withTimeout(.zero) {} }
            #expect(reason == .wrongShard)
        }
    }
}

extension Connection {
    fileprivate func perform(_ wait: DeadlineScopeTests.Wait, _ hold: EventGate) async throws {
        switch wait {
        case .read, .readOfAnotherTask: _ = try await readArray()
        case .readInAChild:
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await readArray() }
                try await group.waitForAll()
            }
        case .readInAsyncLet:
            async let bytes = readArray()
            _ = try await bytes
        case .readWithALongTimeout: _ = try await readArray(timeout: .seconds(3_600))
        case .write:
            try setWriteBufferLimits(low: 0, high: 1)
            try await write([1])
        case .close: try await close()
        case .sleep: try await shard.sleep(for: .seconds(3_600))
        case .untilDrain: try await shard.untilDrain()
        case .executor: try await shard.runInExecutor { try hold.wait("the test") }
        case .channelReceive: _ = try await ShardChannel<Int>(capacity: 1, on: shard).receive()
        case .channelSend: try await ShardChannel<Int>(capacity: 0, on: shard).send(1)
        case .semaphore: try await ShardSemaphore(permits: 0, on: shard).acquire()
        case .gate:
            let gate = ShardGate(on: shard)
            try gate.enter()
            try await gate.close()
        case .event: try await ShardFlag(on: shard).wait()
        case .submit:
            try await shard.submit(to: 1) { _ in try hold.wait("the test") }
        }
    }
}
