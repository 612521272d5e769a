import Testing

@testable import UringCore
@testable import UringEngine

/// Blocking work of a shard: the task comes back, whatever happens to the work.
@Suite(.serialized) struct RunInExecutorTests {
    private struct Refusal: Error {}

    @Test func runsElsewhereAndComesBackWithTheResult() async throws {
        try await withShards(2) { run in
            for index in 0..<2 {
                let facts = try await run.on(index) { shard in
                    let (name, isThere) = try await shard.runInExecutor {
                        (threadName(), shard.isCurrent)
                    }
                    return (name.hasPrefix("uring-work-"), isThere, shard.isCurrent)
                }
                #expect(facts == (true, false, true))
            }
        }
    }

    @Test func throwsWhatTheWorkThrows() async throws {
        try await withShards { run in
            await #expect(throws: Refusal.self) {
                try await run.on { shard in try await shard.runInExecutor { throw Refusal() } }
            }
        }
    }

    @Test func doesNotBlockTheShardMeanwhile() async throws {
        try await withShards { run in
            let hold = EventGate()
            let working = run.task { try await $0.runInExecutor { try hold.wait("the shard") } }
            for _ in 0..<10 { try await run.on { _ in } }
            hold.open()
            try await ended(working, "the work")
        }
    }

    /// Where a task is cancelled from, and how it is told.
    enum Ending: CaseIterable {
        case cancelledOnItsShard
        case cancelledElsewhere
        case deadline
    }

    @Test(arguments: Ending.allCases)
    func workThatHasNotBegunIsDropped(_ ending: Ending) async throws {
        let ran = SharedCount()
        let configure: (inout Configuration) -> Void = { configuration in
            configuration.blocking.threadsMax = 1
        }
        try await withShards(configure: configure) { run in
            let hold = EventGate()
            let begun = EventGate()
            let first = run.task { shard in
                try await shard.runInExecutor {
                    begun.open()
                    try hold.wait("the other's end")
                }
            }
            try await begun.opened("the first piece of work")
            let second = run.task { shard in
                try await shard.runInExecutor(until: ending) { ran.add() }
            }
            let pool = run.shards[0].blockingPool
            if ending != .deadline {
                try await eventually("a piece of work that waits") { pool.counters.queued == 1 }
            }
            try await run.end(second, ending)
            try await eventually("nothing waits") { pool.counters.queued == 0 }
            #expect(pool.counters.dropped == 1)
            hold.open()
            try await ended(first, "the first")
        }
        #expect(ran.value == 0)
    }

    @Test(arguments: Ending.allCases)
    func ofWorkUnderWayTheTaskIsToldAtOnceAndTheResultIsDropped(_ ending: Ending) async throws {
        let alive = SharedCount()
        try await withShards { run in
            let hold = EventGate()
            let begun = EventGate()
            let working = run.task { shard in
                try await shard.runInExecutor(until: ending) {
                    begun.open()
                    try hold.wait("the task's end")
                    return CountedToken(alive)
                }
            }
            try await begun.opened("work under way")
            try await run.end(working, ending)
            #expect(alive.value == 0, "the work is not over")
            hold.open()
            let pool = run.shards[0].blockingPool
            try await eventually("the work ends") { pool.counters.completed == 1 }
        }
        #expect(alive.value == 0)
    }

    @Test func tooMuchWorkIsBusy() async throws {
        let configure: (inout Configuration) -> Void = { configuration in
            configuration.blocking.threadsMax = 1
            configuration.blocking.queuedMax = 0
        }
        try await withShards(configure: configure) { run in
            let hold = EventGate()
            let first = run.task { try await $0.runInExecutor { try hold.wait("the other") } }
            let pool = run.shards[0].blockingPool
            try await eventually("a thread") { pool.counters.threads == 1 }
            let reason = await thrownReason {
                try await run.on { try await $0.runInExecutor {} }
            }
            #expect(reason == .busy)
            hold.open()
            try await ended(first, "the first")
        }
    }

    @Test func elsewhereThanOnTheShardIsWrongShard() async throws {
        try await withShards(2) { run in
            let shard = run.shards[0]
            #expect(await thrownReason { try await shard.runInExecutor {} } == .wrongShard)
            let reason = try await run.on(1) { _ in
                await thrownReason { try await shard.runInExecutor {} }
            }
            #expect(reason == .wrongShard)
        }
    }

    /// Structured: what a shard started is over when the run returns.
    @Test func theRunsEndWaitsForWorkUnderWay() async throws {
        let hold = EventGate()
        let begun = EventGate()
        let ran = SharedCount()
        try await withShards { run in
            let working = run.task { shard in
                try await shard.runInExecutor {
                    begun.open()
                    try hold.wait("the drain")
                    ran.add()
                }
            }
            try await begun.opened("work under way")
            working.cancel()
            _ = await working.result
            let pool = run.shards[0].blockingPool
            run.drain()
            try await eventually("the pool was closed") { !pool.run {} }
            #expect(ran.value == 0)
            hold.open()
        }
        #expect(ran.value == 1)
    }

    @Test func theCallbackFormComesBackToItsLoop() async throws {
        try await withShards { run in
            let shard = run.shards[0]
            let outcomes = SharedList<String>()
            let done = EventGate()
            let pool = shard.blockingPool
            try await run.on { shard in
                _ = try shard.loop.runInExecutor(on: pool) {
                    7
                } completion: {
                    outcomes.append("\((try? $0.get()) ?? 0) \(shard.isCurrent)")
                    done.open()
                }
            }
            try await done.opened("the completion")
            let hold = EventGate()
            try await run.on { shard in
                let handle = try shard.loop.runInExecutor(on: pool) {
                    try hold.wait("the cancellation")
                } completion: { result in
                    if case .failure(let error as IOError) = result {
                        outcomes.append("\(error.reason) \(shard.isCurrent)")
                    }
                    done.open()
                }
                handle.cancel()
                handle.cancel()
            }
            try await done.opened("the cancelled completion")
            hold.open()
            #expect(outcomes.all == ["7 true", "cancelled true"])
        }
    }
}

extension Shard {
    fileprivate func runInExecutor<Value: Sendable>(
        until ending: RunInExecutorTests.Ending,
        _ work: @escaping @Sendable () throws -> Value
    ) async throws {
        guard ending == .deadline else {
            _ = try await runInExecutor(work)
            return
        }
        _ = try await withTimeout(.milliseconds(20)) { try await runInExecutor(work) }
    }
}

extension ShardedRun {
    fileprivate func end(
        _ task: Task<Void, any Error>,
        _ ending: RunInExecutorTests.Ending
    ) async throws {
        switch ending {
        case .cancelledOnItsShard: try await on { _ in task.cancel() }
        case .cancelledElsewhere: task.cancel()
        case .deadline: break
        }
        let expected: IOError.Reason = ending == .deadline ? .deadlineExceeded : .cancelled
        #expect(await thrownReason { try await ended(task, "a told task") } == expected)
    }
}
