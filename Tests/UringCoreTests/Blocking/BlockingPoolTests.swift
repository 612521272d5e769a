import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct BlockingPoolTests {
    private static func limits(
        threads: Int,
        queued: Int,
        idle: Duration = .seconds(60)
    )
        -> BlockingLimits
    {
        var limits = BlockingLimits()
        limits.threadsMax = threads
        limits.queuedMax = queued
        limits.idleTimeout = idle
        return limits
    }

    @Test func runsWorkOnThreadsThatAreCalledAsItSays() async throws {
        let pool = try BlockingPool(name: "my-own-work")
        let name = LeftValue<String>()
        #expect(pool.run { name.put(threadName()) })
        #expect(try await onThread { try name.take("work that runs") } == "my-own-wor-0")
        try await close(pool)
    }

    @Test func startsNoMoreThreadsThanItMay() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 3, queued: 1_000))
        let running = SharedCount()
        let most = SharedCount()
        let done = EventGate()
        for _ in 0..<500 {
            #expect(
                pool.run {
                    most.raise(to: running.add())
                    running.add(-1)
                    done.open()
                }
            )
        }
        for _ in 0..<500 { try await done.opened("a piece of work") }
        #expect((1...3).contains(most.value))
        #expect((1...3).contains(pool.counters.threadsPeak))
        try await eventually("all counted") { pool.counters.completed == 500 }
        try await close(pool)
        #expect(pool.counters.threads == 0)
    }

    /// One thread for each piece of work that has none, and not one more.
    @Test func startsAThreadOnlyWhenNoneIsIdle() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 8, queued: 10))
        for _ in 0..<20 {
            let done = EventGate()
            #expect(pool.run { done.open() })
            try await done.opened("a piece of work")
            try await eventually("an idle thread") { pool.counters.idleThreads == 1 }
        }
        #expect(pool.counters.threadsStarted == 1)
        try await close(pool)
    }

    @Test func refusesWhatItsQueueHasNoRoomFor() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 2, queued: 3))
        let hold = EventGate()
        let holds = SharedCount()
        for _ in 0..<5 {
            #expect(
                pool.run {
                    try? hold.wait("the end of the test")
                    holds.add()
                }
            )
        }
        do throws(IOError) {
            _ = try pool.submit {}
            Issue.record("the queue is full")
        } catch {
            #expect(error.reason == .busy)
            #expect(error.description.contains("all 2 threads work"), "\(error)")
        }
        #expect(!pool.run {})
        #expect(pool.counters.refused == 2)
        // A thread that was only started has not taken its piece yet.
        try await eventually("both threads have theirs") { pool.counters.queued == 3 }
        for _ in 0..<5 { hold.open() }
        try await eventually("everything has run") { holds.value == 5 }
        try await close(pool)
    }

    @Test func threadsWithoutWorkEnd() async throws {
        let pool = try BlockingPool(
            limits: Self.limits(threads: 4, queued: 10, idle: .milliseconds(1))
        )
        for round in 1...3 {
            for _ in 0..<4 { #expect(pool.run {}) }
            try await eventually("no thread in round \(round)") { pool.counters.threads == 0 }
            #expect(pool.counters.completed == UInt64(4 * round))
        }
        try await close(pool)
    }

    @Test func workTakenBackNeverRunsAndIsLetGo() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 1, queued: 10))
        let hold = EventGate()
        let begun = EventGate()
        let alive = SharedCount()
        let ran = SharedCount()
        let first = try pool.submit {
            begun.open()
            try? hold.wait("the end of the test")
        }
        try await begun.opened("the first piece")
        let token = CountedToken(alive)
        let second = try pool.submit { [token] in
            withExtendedLifetime(token) { _ = ran.add() }
        }
        #expect(alive.value == 1)
        #expect(pool.counters.queued == 1)
        #expect(pool.cancel(second))
        #expect(!pool.cancel(second), "it is gone")
        #expect(!pool.cancel(first), "it has begun")
        #expect(pool.counters.queued == 0)
        #expect(pool.counters.dropped == 1)
        hold.open()
        try await close(pool)
        #expect(ran.value == 0)
        withExtendedLifetime(token) {}
    }

    @Test func aClosedPoolDropsWhatHasNotBegunAndWaitsForTheRest() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 1, queued: 10))
        let hold = EventGate()
        let begun = EventGate()
        let ran = SharedCount()
        #expect(
            pool.run {
                begun.open()
                try? hold.wait("the end of the test")
                ran.add()
            }
        )
        try await begun.opened("the first piece")
        #expect(pool.run { ran.add(100) })
        let empty = EventGate()
        pool.close { empty.open() }
        #expect(!pool.run {}, "it was closed")
        #expect(ran.value == 0)
        hold.open()
        try await empty.opened("the last thread's end")
        #expect(ran.value == 1)
        #expect(pool.counters.threads == 0)
    }

    @Test func limitsThatNoPoolCanHaveAreErrorsThatNameThem() throws {
        for (limits, name) in [
            (Self.limits(threads: 0, queued: 1), "threadsMax"),
            (Self.limits(threads: 1_025, queued: 1), "threadsMax"),
            (Self.limits(threads: 1, queued: -1), "queuedMax"),
        ] {
            do {
                _ = try BlockingPool(limits: limits)
                Issue.record("\(name) was taken")
            } catch {
                #expect("\(error)".contains("BlockingLimits.\(name)"), "\(error)")
            }
        }
    }

    /// Work that is submitted and taken back at random, from several threads, runs once or never.
    @Test func randomWorkRunsOnceOrNever() async throws {
        let pool = try BlockingPool(limits: Self.limits(threads: 4, queued: 64, idle: .zero))
        let ran = SharedCount()
        let outcome = SharedCount()
        let refused = SharedCount()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seed in 0..<4 {
                group.addTask {
                    try await onThread {
                        var numbers = SeededNumbers(seed: UInt64(seed))
                        for _ in 0..<2_000 {
                            guard let job = try? pool.submit({ ran.add() }) else {
                                refused.add()
                                continue
                            }
                            outcome.add()
                            if Bool.random(using: &numbers), pool.cancel(job) { outcome.add(-1) }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await close(pool, drops: false)
        #expect(ran.value == outcome.value)
        #expect(ran.value > 0)
        #expect(pool.counters.refused == UInt64(refused.value))
    }

    private func close(_ pool: BlockingPool, drops: Bool = true) async throws {
        if !drops { try await eventually("an empty queue") { pool.counters.queued == 0 } }
        let empty = EventGate()
        pool.close { empty.open() }
        try await empty.opened("the last thread's end")
    }
}

/// The calling thread's name.
func threadName() -> String {
    guard let file = fopen("/proc/thread-self/comm", "r") else { return "" }
    defer { fclose(file) }
    var name = [CChar](repeating: 0, count: 32)
    guard fgets(&name, 32, file) != nil else { return "" }
    let bytes = name.prefix { $0 != 0 && $0 != 10 }
    return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
