import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct SubmitTests {
    private struct Refused: Error, Equatable {
        let number: Int
    }

    @Test func runsOnTheOtherShardAndComesBack() async throws {
        try await withShards(2) { run in
            let facts = try await run.on(0) { shard in
                let there = try await shard.submit(to: 1) { ($0.index, $0.isCurrent) }
                return (there.0, there.1, shard.isCurrent)
            }
            #expect(facts == (1, true, true))
        }
    }

    @Test func toItsOwnShardWorksToo() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                try await shard.submit(to: 0) { ($0.index, $0.isCurrent) }
            }
            #expect(facts == (0, true))
        }
    }

    @Test func fromNoShardWorksToo() async throws {
        try await withShards(2) { run in
            let shard = run.shards[0]
            let index = try await shard.submit(to: 1) { $0.isCurrent ? $0.index : -1 }
            #expect(index == 1)
            #expect(!shard.isCurrent)
        }
    }

    @Test func passesOnWhatTheBodyThrows() async throws {
        try await withShards(2) { run in
            let thrown = try await run.on(0) { shard in
                do {
                    try await shard.submit(to: 1) { _ in throw Refused(number: 7) }
                    return Refused?.none
                } catch let error as Refused {
                    return error
                }
            }
            #expect(thrown == Refused(number: 7))
        }
    }

    @Test(arguments: [-1, 2, .max, .min])
    func refusesAShardThatIsNot(_ index: Int) async throws {
        try await withShards(2) { run in
            let shard = run.shards[0]
            let reasons = [
                await thrownReason { try await shard.submit(to: index) { $0.index } },
                await thrownReason { try shard.post(to: index) { _ in } },
            ]
            #expect(reasons == [.invalidArgument, .invalidArgument])
            do {
                try shard.post(to: index) { _ in }
            } catch {
                #expect("\(error)".contains("there is no shard \(index); shards are 0 to 1"))
            }
        }
    }

    @Test func afterTheEndIsClosed() async throws {
        let left = LeftValue<Shard>()
        try await withShards(2) { run in
            left.put(run.shards[0])
        } whenEnded: {
            let shard = try left.take("a shard")
            let hasRun = SharedCount()
            let reasons = [
                await thrownReason { try await shard.submit(to: 1) { _ in hasRun.add() } },
                await thrownReason { try shard.post(to: 0) { _ in hasRun.add() } },
            ]
            #expect(reasons == [.closed, .closed])
            #expect(hasRun.value == 0)
        }
    }

    @Test func keepsTheOrderOfOneTask() async throws {
        try await withShards(2) { run in
            let order = ShardLocal([Int](), on: run.shards[1])
            try await run.on(0) { shard in
                for number in 0..<500 {
                    if number % 3 == 0 {
                        try await shard.submit(to: 1) { _ in order.withState { $0.append(number) } }
                    } else {
                        try shard.post(to: 1) { _ in order.withState { $0.append(number) } }
                    }
                }
            }
            let seen = try await run.on(1) { _ in order.withState { $0 } }
            #expect(seen == Array(0..<500))
        }
    }

    /// What has to run after a cancellation is posted.
    @Test func aCancelledTaskIsToldAtOnceAndWhatHasNotBegunNeverRuns() async throws {
        try await withShards(2) { run in
            let hold = EventGate()
            let ran = SharedCount()
            run.shards[1].loop.callSoonThreadsafe { try hold.wait("the cancellation") }
            let submitting = run.task(on: 0) { shard in
                try await shard.submit(to: 1) { _ in ran.add() }
            }
            try await run.on(0) { _ in submitting.cancel() }
            #expect(await thrownReason { try await ended(submitting, "a submit") } == .cancelled)
            let posting = run.task(on: 0) { shard in
                withUnsafeCurrentTask { $0?.cancel() }
                try shard.post(to: 1) { _ in ran.add(100) }
            }
            try await ended(posting, "a post")
            hold.open()
            try await run.on(1) { _ in }
            #expect(ran.value == 100)
        }
    }

    @Test func aResultThatNobodyWaitsForIsDropped() async throws {
        try await withShards(2) { run in
            let (begun, hold) = (EventGate(), EventGate())
            let alive = SharedCount()
            let submitting = run.task(on: 0) { shard in
                try await shard.submit(to: 1) { _ in
                    begun.open()
                    try hold.wait("the cancellation")
                    return CountedToken(alive)
                }
            }
            try await begun.opened("the work")
            submitting.cancel()
            #expect(await thrownReason { try await ended(submitting, "a submit") } == .cancelled)
            hold.open()
            try await run.on(1) { _ in }
            #expect(alive.value == 0)
        }
    }

    @Test func aPostThatThrowsGoesToTheLoop() async throws {
        try await withShards(2, expectsCallbackErrors: true) { run in
            try await run.on(0) { try $0.post(to: 1) { _ in throw Refused(number: 3) } }
            try await run.on(1) { _ in }
            #expect(run.callbackErrors.all.count == 1)
            #expect(run.callbackErrors.all[0].contains("Refused(number: 3)"))
        }
    }

    @Test func whatIsUnderWayAtTheEndRunsOrIsRefused() async throws {
        let refused = SharedCount()
        let answered = SharedCount()
        let hasRun = SharedCount()
        let left = LeftValue<[Task<Void, any Error>]>()
        try await withShards(4) { run in
            let shard = run.shards[0]
            let isOver = SharedCount()
            left.put(
                (0..<4).map { target in
                    Task {
                        while isOver.value < 4 {
                            do {
                                _ = try await shard.submit(to: target) { _ in hasRun.add() }
                                answered.add()
                            } catch let error as IOError where error.reason == .closed {
                                refused.add()
                                isOver.add()
                            }
                        }
                    }
                }
            )
            for target in 0..<4 {
                try await run.eventually("submits", on: run.shards[target]) { _ in
                    hasRun.value > 100
                }
            }
            run.drain()
        } whenEnded: {
            for task in try left.take("tasks") { try await ended(task, "a task that submits") }
        }
        #expect(
            hasRun.value == answered.value,
            "each body that ran was answered, each other refused"
        )
        #expect(refused.value > 0)
    }
}
