import Testing

@testable import UringCore
@testable import UringEngine

/// What tasks of one shard wait for each other with: in order, without a lock, and without a trace
/// when they give up.
@Suite(.serialized) struct CoordinationTests {
    // MARK: Channel

    @Test(arguments: [0, 1, 3, 100])
    func aChannelHandsEverythingOverInOrder(capacity: Int) async throws {
        try await withShards { run in
            let received = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: capacity, on: shard)
                return try await withThrowingTaskGroup(of: [Int].self) { group in
                    group.addTask {
                        for number in 0..<1_000 { try await channel.send(number) }
                        try channel.finish()
                        return []
                    }
                    group.addTask {
                        var numbers: [Int] = []
                        while let number = try await channel.receive() { numbers.append(number) }
                        return numbers
                    }
                    return try await group.reduce([], +)
                }
            }
            #expect(received == Array(0..<1_000))
        }
    }

    @Test func aChannelHoldsNoMoreThanItsCapacity() async throws {
        try await withShards { run in
            let counts = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 4, on: shard)
                let sending = Task(executorPreference: shard.executor) {
                    for number in 0..<20 { try await channel.send(number) }
                }
                var counts: [Int] = []
                for expected in 0..<20 {
                    while try channel.count < min(4, 20 - expected) { await Task.yield() }
                    counts.append(try channel.count)
                    #expect(try await channel.receive() == expected)
                }
                try await sending.value
                return counts
            }
            #expect(counts.max() == 4)
        }
    }

    @Test func whoCameFirstIsServedFirst() async throws {
        try await withShards { run in
            let order = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 0, on: shard)
                let order = SharedList<String>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for name in ["a", "b", "c"] {
                        group.addTask {
                            guard let number = try await channel.receive() else { return }
                            order.append("\(name)\(number)")
                        }
                        await Task.yield()
                    }
                    for number in 1...3 { try await channel.send(number) }
                    try await group.waitForAll()
                }
                return order.all
            }
            #expect(order == ["a1", "b2", "c3"])
        }
    }

    @Test func aReceiverThatGaveUpLosesNothing() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 2, on: shard)
                let first = Task(executorPreference: shard.executor) {
                    try await channel.receive()
                }
                let second = Task(executorPreference: shard.executor) {
                    try await channel.receive()
                }
                await Task.yield()
                first.cancel()
                let reason = await thrownReason { try await first.value }
                try await channel.send(1)
                return (reason, try await second.value)
            }
            #expect(facts == (.cancelled, 1))
        }
    }

    /// Cancelled in the same turn in which the element came: one of both, never none.
    @Test func aRaceOfElementAndCancellationLosesNothing() async throws {
        try await withShards { run in
            let (taken, left) = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 1_000, on: shard)
                var taken = 0
                for number in 0..<500 {
                    let receiving = Task(executorPreference: shard.executor) {
                        try await channel.receive()
                    }
                    if number % 3 != 0 { await Task.yield() }
                    if number % 2 == 0 { receiving.cancel() }
                    try await channel.send(number)
                    if number % 2 != 0 { receiving.cancel() }
                    if case .success = await receiving.result { taken += 1 }
                }
                return (taken, try channel.count)
            }
            #expect(taken + left == 500)
        }
    }

    @Test func bytesCrossAChannelByMove() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try pair.client.send([1, 2, 3])
            let (bytes, lent) = try await pair.on(.handler) { connection in
                let shard = connection.shard
                let channel = ShardChannel<ReceivedBytes>(capacity: 1, on: shard)
                async let lent = {
                    guard let bytes = try await channel.receive() else { return ([UInt8](), 0) }
                    let lent = shard.loop.metrics.buffersLent
                    return (bytes.copyToArray(), lent)
                }()
                if let bytes = try await connection.read() { try await channel.send(bytes) }
                return try await lent
            }
            #expect(bytes == [1, 2, 3])
            #expect(lent == 1, "the buffer that the kernel filled")
            pair.end()
        }
    }

    @Test func aFinishedChannelEndsBothSides() async throws {
        try await withShards { run in
            try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 1, on: shard)
                try await channel.send(1)
                let sending = Task(executorPreference: shard.executor) {
                    try await channel.send(2)
                }
                await Task.yield()
                try channel.finish()
                #expect(await thrownReason { try await sending.value } == .closed)
                #expect(await thrownReason { try await channel.send(3) } == .closed)
                #expect(await thrownReason { try channel.trySend(3) } == .closed)
                #expect(try await channel.receive() == 1)
                #expect(try await channel.receive() == nil)
                let empty = ShardChannel<Int>(capacity: 1, on: shard)
                let receiving = Task(executorPreference: shard.executor) {
                    try await empty.receive()
                }
                await Task.yield()
                try empty.finish()
                #expect(try await receiving.value == nil)
            }
        }
    }

    @Test func aChannelIsASequence() async throws {
        try await withShards { run in
            let sum = try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 10, on: shard)
                for number in 1...10 { try await channel.send(number) }
                try channel.finish()
                var sum = 0
                for try await number in channel { sum += number }
                return sum
            }
            #expect(sum == 55)
        }
    }

    // MARK: Semaphore

    @Test func aSemaphoreCountsNoFurtherThanItCan() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                let semaphore = ShardSemaphore(permits: .max, on: shard)
                let reason = await thrownReason { try semaphore.release() }
                let left = try await semaphore.withPermits(2) {
                    try semaphore.release(2)
                    return try semaphore.available
                }
                return (reason, left, try semaphore.available)
            }
            #expect(facts.0 == .invalidArgument)
            #expect(facts.1 == .max)
            #expect(facts.2 == .max)
        }
    }

    @Test func aSemaphoreLetsInSoManyInOrder() async throws {
        try await withShards { run in
            let (most, order) = try await run.on { shard in
                let semaphore = ShardSemaphore(permits: 3, on: shard)
                let inside = SharedCount()
                let most = SharedCount()
                let order = SharedList<Int>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<30 {
                        group.addTask {
                            try await semaphore.withPermits {
                                order.append(number)
                                most.raise(to: inside.add())
                                try await shard.sleep(for: .zero)
                                inside.add(-1)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try semaphore.available == 3)
                return (most.value, order.all)
            }
            #expect(most == 3)
            #expect(order == Array(0..<30))
        }
    }

    @Test func whoAsksForManyIsNotOvertaken() async throws {
        try await withShards { run in
            let order = try await run.on { shard in
                let semaphore = ShardSemaphore(permits: 2, on: shard)
                let order = SharedList<String>()
                try await semaphore.acquire(2)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await semaphore.acquire(2)
                        order.append("two")
                        try semaphore.release(2)
                    }
                    await Task.yield()
                    group.addTask {
                        try await semaphore.acquire()
                        order.append("one")
                        try semaphore.release()
                    }
                    await Task.yield()
                    try semaphore.release()
                    #expect(try !semaphore.tryAcquire(), "two others wait")
                    try await shard.sleep(for: .zero)
                    #expect(order.all.isEmpty)
                    try semaphore.release()
                    try await group.waitForAll()
                }
                return order.all
            }
            #expect(order == ["two", "one"])
        }
    }

    /// The first gives up: who stood behind it, and fits, goes in.
    @Test func oneThatGivesUpMakesRoomForThoseBehindIt() async throws {
        try await withShards { run in
            try await run.on { shard in
                let semaphore = ShardSemaphore(permits: 1, on: shard)
                let first = Task(executorPreference: shard.executor) {
                    try await semaphore.acquire(2)
                }
                await Task.yield()
                let second = Task(executorPreference: shard.executor) {
                    try await semaphore.acquire()
                }
                await Task.yield()
                first.cancel()
                try await second.value
                #expect(await thrownReason { try await first.value } == .cancelled)
                #expect(try semaphore.available == 0)
            }
        }
    }

    @Test func randomCancellationsLoseNoPermit() async throws {
        try await withShards { run in
            let seed: UInt64 = 20_261_124
            let available = try await run.on { shard in
                var numbers = SeededNumbers(seed: seed)
                let semaphore = ShardSemaphore(permits: 4, on: shard)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<2_000 {
                        let task = Task(executorPreference: shard.executor) {
                            try await semaphore.withPermits { try await shard.sleep(for: .zero) }
                        }
                        let turns = Int.random(in: 0..<3, using: &numbers)
                        for _ in 0..<turns { await Task.yield() }
                        if Bool.random(using: &numbers) { task.cancel() }
                        group.addTask { _ = await task.result }
                    }
                    try await group.waitForAll()
                }
                return try semaphore.available
            }
            #expect(available == 4, "seed \(seed)")
        }
    }

    // MARK: Gate and event

    @Test func aGateClosesWhenAllHaveLeft() async throws {
        try await withShards { run in
            let order = try await run.on { shard in
                let gate = ShardGate(on: shard)
                let order = SharedList<String>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            try await gate.withEntry {
                                try await shard.sleep(for: .milliseconds(1))
                                order.append("left")
                            }
                        }
                    }
                    while try gate.insideCount < 3 { await Task.yield() }
                    try await gate.close()
                    order.append("closed")
                    #expect(await thrownReason { try gate.enter() } == .closed)
                    try await gate.close()
                    try await group.waitForAll()
                }
                return order.all
            }
            #expect(order == ["left", "left", "left", "closed"])
        }
    }

    @Test func aGateThatNobodyIsInCannotBeLeft() async throws {
        try await withShards { run in
            let reason = try await run.on { shard in
                await thrownReason { try ShardGate(on: shard).leave() }
            }
            #expect(reason == .invalidArgument)
        }
    }

    @Test func aScopeInsideAGateIsNotLeftForIt() async throws {
        try await withShards { run in
            let count = try await run.on { shard in
                let gate = ShardGate(on: shard)
                try await gate.withEntry {
                    #expect(await thrownReason { try gate.leave() } == .invalidArgument)
                    try gate.enter()
                    try gate.leave()
                    #expect(try gate.insideCount == 1)
                }
                try await shard.sleep(for: .zero)
                return try gate.insideCount
            }
            #expect(count == 0)
        }
    }

    @Test func anEventWakesAllThatWait() async throws {
        try await withShards { run in
            let order = try await run.on { shard in
                let event = ShardFlag(on: shard)
                let order = SharedList<Int>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<5 {
                        group.addTask {
                            try await event.wait()
                            order.append(number)
                        }
                    }
                    try await shard.sleep(for: .zero)
                    #expect(order.all.isEmpty)
                    try event.set()
                    try await group.waitForAll()
                }
                try await event.wait()
                try event.reset()
                #expect(try !event.isSet)
                return order.all
            }
            #expect(order == [0, 1, 2, 3, 4])
        }
    }

    // MARK: All of them

    @Test func callsFromElsewhereAreRefused() async throws {
        try await withShards { run in
            let shard = run.shards[0]
            let channel = ShardChannel<Int>(capacity: 1, on: shard)
            let semaphore = ShardSemaphore(permits: 1, on: shard)
            let gate = ShardGate(on: shard)
            let event = ShardFlag(on: shard)
            let reasons = [
                await thrownReason { try await channel.send(1) },
                await thrownReason { try channel.trySend(1) },
                await thrownReason { try await channel.receive() },
                await thrownReason { try channel.tryReceive() },
                await thrownReason { try channel.finish() },
                await thrownReason { try channel.count },
                await thrownReason { try await semaphore.acquire() },
                await thrownReason { try semaphore.release() },
                await thrownReason { try semaphore.available },
                await thrownReason { try gate.enter() },
                await thrownReason { try await gate.close() },
                await thrownReason { try await event.wait() },
                await thrownReason { try event.set() },
            ]
            #expect(reasons == Array(repeating: .wrongShard, count: 13))
        }
    }

    /// Begun on the shard, a task without a preference leaves it with its first wait.
    @Test func aTaskThatLeavesTheShardGivesBackWhatItGot() async throws {
        try await withShards { run in
            let shard = run.shards[0]
            let channel = ShardChannel<Int>(capacity: 1, on: shard)
            let semaphore = ShardSemaphore(permits: 0, on: shard)
            let receiving = try await run.on { _ in
                Task.immediate { await thrownReason { try await channel.receive() } }
            }
            let acquiring = try await run.on { _ in
                Task.immediate { await thrownReason { try await semaphore.acquire() } }
            }
            try await run.on { _ in
                try await channel.send(7)
                try semaphore.release()
            }
            #expect(await receiving.value == .wrongShard)
            #expect(await acquiring.value == .wrongShard)
            try await run.eventually("all is given back", on: shard) { _ in
                (try? channel.count) == 1 && (try? semaphore.available) == 1
            }
            #expect(try await run.on { _ in try await channel.receive() } == 7)
        }
    }

    /// A task that nobody waits for must not hang when its shard ends.
    @Test func theShardsEndEndsEveryWait() async throws {
        let ends = SharedList<IOError.Reason?>()
        let waiting = EventGate()
        let tasks = SharedList<Task<Void, Never>>()
        try await withShards { run in
            let shard = run.shards[0]
            try await run.on { shard in
                let channel = ShardChannel<Int>(capacity: 1, on: shard)
                let semaphore = ShardSemaphore(permits: 0, on: shard)
                let event = ShardFlag(on: shard)
                let waits: [@Sendable () async throws -> Void] = [
                    { _ = try await channel.receive() },
                    { try await semaphore.acquire() },
                    { try await event.wait() },
                ]
                for wait in waits {
                    tasks.append(
                        Task(executorPreference: shard.executor) {
                            waiting.open()
                            ends.append(await thrownReason { try await wait() })
                        }
                    )
                }
            }
            for _ in 0..<3 { try await waiting.opened("a wait") }
            try await run.eventually("three waits", on: shard) { $0.state.parked.count == 3 }
        }
        for task in tasks.all { await task.value }
        #expect(ends.all == [.closed, .closed, .closed])
    }
}
