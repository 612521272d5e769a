import Glibc
import Testing

@testable import UringEngine

/// A consumer that parks, against posting threads.
///
/// A lost wake-up shows as a wait that times out.
@Suite struct SchedulerThreadTests {
    private static let postersCount = 4
    private static let postsEach = 250_000

    /// What arrived, kept by the consumer's thread alone.
    private final class Arrivals: @unchecked Sendable {
        // Sendable unchecked: posted closures carry the reference, the consumer's thread uses it.
        var count = 0
        var isOrdered = true
        private var lastOf: [Int]

        init(posters: Int) { lastOf = Array(repeating: -1, count: posters) }

        func note(poster: Int, number: Int) {
            count += 1
            if number != lastOf[poster] + 1 { isOrdered = false }
            lastOf[poster] = number
        }
    }

    private final class Consumer {
        let scheduler = Scheduler()
        let waker = SemaphoreWaker()
        let arrivals = Arrivals(posters: SchedulerThreadTests.postersCount)
        var waits = 0
        var hasLostAWake = false

        /// The loop's order: take, run, park, wait, unpark.
        func consume(count: Int) {
            var batch = ReadyQueue()
            while arrivals.count < count, !hasLostAWake {
                scheduler.take(into: &batch)
                batch.runAll()
                guard arrivals.count < count, scheduler.park() else { continue }
                waits += 1
                hasLostAWake = !waker.wait(seconds: 30)
                scheduler.unpark()
            }
        }
    }

    private func startPosters(_ consumer: Consumer, pausing: Bool) -> [pthread_t] {
        (0..<Self.postersCount).map { poster in
            let (scheduler, waker) = (consumer.scheduler, consumer.waker)
            let arrivals = consumer.arrivals
            return startThread {
                for number in 0..<Self.postsEach {
                    let outcome = scheduler.post(
                        .closure { arrivals.note(poster: poster, number: number) }
                    )
                    if outcome == .queuedWakeNeeded { waker.wake() }
                    // Lets the consumer empty the inbox and park again and again.
                    if pausing, number & 0xF == 0 { sched_yield() }
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func losesNoPostAndNoWake(pausing: Bool) {
        let consumer = Consumer()
        let threads = startPosters(consumer, pausing: pausing)
        consumer.consume(count: Self.postersCount * Self.postsEach)
        for thread in threads { pthread_join(thread, nil) }
        let counters = consumer.scheduler.counters
        #expect(!consumer.hasLostAWake)
        #expect(consumer.arrivals.count == Self.postersCount * Self.postsEach)
        #expect(consumer.arrivals.isOrdered, "each thread's posts run in its order")
        #expect(counters.posts == UInt64(Self.postersCount * Self.postsEach))
        #expect(counters.wakesAsked <= counters.posts)
        #expect(counters.wakesAsked == UInt64(consumer.waits), "one wake a park, no more")
        consumer.scheduler.checkInvariants()
    }

    /// The tightest race: the next job is posted when the last has run, while the consumer parks.
    @Test func wakesForEverySinglePost() {
        let consumer = Consumer()
        let answered = SemaphoreWaker()
        let count = 50_000
        let (scheduler, waker, arrivals) = (consumer.scheduler, consumer.waker, consumer.arrivals)
        let thread = startThread {
            for number in 0..<count {
                let job = Job.closure {
                    arrivals.note(poster: 0, number: number)
                    answered.wake()
                }
                if scheduler.post(job) == .queuedWakeNeeded { waker.wake() }
                guard answered.wait(seconds: 30) else { return }
            }
        }
        consumer.consume(count: count)
        pthread_join(thread, nil)
        #expect(!consumer.hasLostAWake)
        #expect(arrivals.count == count)
        #expect(arrivals.isOrdered)
    }
}
