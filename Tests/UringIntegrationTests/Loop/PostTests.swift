import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Posting") struct PostTests {
        /// Takes 20 s in a debug build; `INTEGRATION_POSTS=100000` makes it short.
        private static let postCount =
            getenv("INTEGRATION_POSTS").flatMap { Int(String(cString: $0)) } ?? 10_000_000
        private static let threadCount = 4

        @Test func everyPostFromFourThreadsRunsOnceAndInOrder() throws {
            try withLoop { server in
                let perThread = Self.postCount / Self.threadCount / slowdown
                let ledger = Ledger(perThread: perThread, threadCount: Self.threadCount)
                let loop = server.loop
                let threads = (0..<Self.threadCount).map { thread in
                    WorkThread {
                        for number in 0..<perThread {
                            loop.callSoonThreadsafe { ledger.enter(number, from: thread) }
                        }
                    }
                }
                for thread in threads { try thread.join() }
                try ledger.complete.wait("all posts")
                #expect(try server.run { _ in ledger.disorderCount } == 0)
            }
        }

        /// Each post waits for the one before to have run: the loop parks in between, and one
        /// lost wake-up is the end.
        @Test(arguments: Rung.all)
        func everyPostWakesAParkedLoop(rung: Rung) throws {
            try withLoop(rung) { server in
                let loop = server.loop
                let rounds = rung.featuresOff.isEmpty ? 20_000 : 2_000
                let threads = (0..<2).map { _ in
                    WorkThread {
                        let gate = Gate()
                        for _ in 0..<rounds {
                            loop.callSoonThreadsafe { gate.open() }
                            try gate.wait("a post on a parked loop")
                        }
                    }
                }
                for thread in threads { try thread.join() }
            }
        }

        @Test func postsAreRefusedAfterTheEnd() throws {
            let server = try LoopThread(.everything) { _ in }
            #expect(try server.stop() == 0)
            #expect(!server.loop.callSoonThreadsafe { Issue.record("a refused post never runs") })
        }

        @Test func equalDeadlinesRunInTheirOrder() throws {
            try withLoop { server in
                let done = Gate()
                let order = LockedList<Int>()
                try server.run { loop in
                    let deadline = Deadline.after(.milliseconds(5))
                    for number in 0..<5_000 {
                        loop.callAt(deadline) { order.append(number) }
                    }
                    loop.callAt(deadline) { done.open() }
                }
                try done.wait("the last timer")
                #expect(order.all == Array(0..<5_000))
            }
        }

        @Test func anIdleLoopEntersTheKernelNoMore() throws {
            try withLoop { server in
                let before = try server.run { $0.metrics.enters }
                try passTime(.milliseconds(300))
                let enters = try server.run { $0.metrics.enters } - before
                #expect(enters <= 3, "the wake-ups of the two readings")
            }
        }
    }
}

/// Counts posts on the loop and holds each thread's to their order.
private final class Ledger: @unchecked Sendable {
    private var next: [Int]
    private var left: Int
    private(set) var disorderCount = 0
    let complete = Gate()

    init(perThread: Int, threadCount: Int) {
        next = Array(repeating: 0, count: threadCount)
        left = perThread * threadCount
    }

    func enter(_ number: Int, from thread: Int) {
        if next[thread] != number { disorderCount += 1 }
        next[thread] = number + 1
        left -= 1
        if left == 0 { complete.open() }
    }
}
