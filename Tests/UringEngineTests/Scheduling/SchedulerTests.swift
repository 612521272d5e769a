import Testing

@testable import UringEngine

@Suite struct SchedulerTests {
    private let scheduler = Scheduler()
    private let target = RecordingTarget()

    @Test func asksForNoWakeWhileTheLoopIsAwake() {
        #expect(scheduler.post(.target(target, tag: 1)) == .queued)
        #expect(scheduler.post(.target(target, tag: 2)) == .queued)
        #expect(scheduler.counters == SchedulerCounters(posts: 2, wakesAsked: 0, refusals: 0))
        scheduler.checkInvariants()
    }

    @Test func asksForOneWakePerParkHoweverManyPosts() {
        #expect(scheduler.park())
        scheduler.checkInvariants()
        #expect(scheduler.post(.target(target, tag: 1)) == .queuedWakeNeeded)
        #expect(scheduler.post(.target(target, tag: 2)) == .queued)
        scheduler.unpark()
        scheduler.checkInvariants()
        var batch = ReadyQueue()
        #expect(scheduler.take(into: &batch) == 2)
        batch.removeAll()
        #expect(scheduler.park())
        #expect(scheduler.post(.target(target, tag: 3)) == .queuedWakeNeeded)
        #expect(scheduler.counters == SchedulerCounters(posts: 3, wakesAsked: 2, refusals: 0))
    }

    @Test func refusesToParkWhileJobsAreQueued() {
        _ = scheduler.post(.target(target, tag: 1))
        #expect(!scheduler.park())
        // It did not announce a wait either.
        #expect(scheduler.post(.target(target, tag: 2)) == .queued)
        var batch = ReadyQueue()
        #expect(scheduler.take(into: &batch) == 2)
        #expect(scheduler.park())
    }

    @Test func asksForNoWakeAfterUnpark() {
        #expect(scheduler.park())
        scheduler.unpark()
        #expect(scheduler.post(.target(target, tag: 1)) == .queued)
    }

    @Test func takesInTheOrderOfPosting() {
        var batch = ReadyQueue()
        for tag in 0..<100 as Range<UInt8> { _ = scheduler.post(.target(target, tag: tag)) }
        #expect(scheduler.take(into: &batch) == 100)
        scheduler.checkInvariants()
        // Posted while the batch runs: it waits for the next take.
        _ = scheduler.post(.target(target, tag: 100))
        batch.runAll()
        #expect(scheduler.take(into: &batch) == 1)
        batch.runAll()
        #expect(target.tags == Array(0...100))
    }

    @Test func takesNothingWhenNothingWasPosted() {
        var batch = ReadyQueue()
        #expect(scheduler.take(into: &batch) == 0)
        #expect(batch.isEmpty == true)
    }

    @Test func reusesTwoStoragesInTurn() {
        var batch = ReadyQueue(capacity: 512)
        let capacity = batch.capacity
        for round in 0..<10 {
            for _ in 0..<100 { _ = scheduler.post(.target(target, tag: 1)) }
            scheduler.take(into: &batch)
            batch.removeAll()
            #expect((batch.capacity == capacity) == (round % 2 == 1))
        }
    }

    @Test func dropsTheMemoryOfABurst() {
        var batch = ReadyQueue()
        for _ in 0...Scheduler.spareCapacityMax { _ = scheduler.post(.target(target, tag: 1)) }
        scheduler.take(into: &batch)
        #expect(batch.capacity > Scheduler.spareCapacityMax)
        for _ in 0..<2 {
            batch.removeAll()
            _ = scheduler.post(.target(target, tag: 1))
            scheduler.take(into: &batch)
        }
        #expect(batch.capacity <= Scheduler.spareCapacityMax)
    }

    @Test func refusesPostsAfterClose() {
        _ = scheduler.post(.target(target, tag: 1))
        scheduler.close()
        #expect(scheduler.isClosed)
        #expect(scheduler.post(.target(target, tag: 2)) == .refused)
        var batch = ReadyQueue()
        #expect(scheduler.take(into: &batch) == 1)
        batch.runAll()
        #expect(target.tags == [1])
        #expect(scheduler.counters == SchedulerCounters(posts: 1, wakesAsked: 0, refusals: 1))
        scheduler.checkInvariants()
    }

    @Test func releasesARefusedJob() {
        weak var captured: RecordingTarget?
        scheduler.close()
        do {
            let object = RecordingTarget()
            captured = object
            #expect(scheduler.post(.closure { object.runJob(tag: 1) }) == .refused)
        }
        #expect(captured == nil)
    }

    @Test func letsARefusedJobPostFromItsDeinit() {
        final class Poster {
            let scheduler: Scheduler
            init(_ scheduler: Scheduler) { self.scheduler = scheduler }
            deinit { _ = scheduler.post(.closure {}) }
        }
        scheduler.close()
        let poster = Poster(scheduler)
        _ = scheduler.post(.closure { [poster] in _ = poster })
        _ = consume poster
        #expect(scheduler.counters.refusals == 2)
    }

    @Test func releasesAClosureAfterItRan() {
        weak var captured: RecordingTarget?
        do {
            let object = RecordingTarget()
            captured = object
            _ = scheduler.post(.closure { object.runJob(tag: 1) })
        }
        var batch = ReadyQueue()
        scheduler.take(into: &batch)
        #expect(captured != nil)
        batch.runAll()
        #expect(captured == nil)
    }

    @Test func takesExecutorJobsEvenAfterClose() async {
        let executor = SchedulerExecutor(scheduler)
        scheduler.close()
        let task = Task(executorPreference: executor) { 42 }
        var batch = ReadyQueue()
        #expect(scheduler.take(into: &batch) == 1)
        try? batch.popFirst()?.run { job in
            job.runSynchronously(on: executor.asUnownedTaskExecutor())
        }
        #expect(await task.value == 42)
    }

    @Test func trapsWhenABatchIsNotEmpty() async {
        await #expect(processExitsWith: .failure) {
            var batch = ReadyQueue()
            batch.append(.closure {})
            Scheduler().take(into: &batch)
        }
    }
}

private final class SchedulerExecutor: TaskExecutor {
    private let scheduler: Scheduler

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func enqueue(_ job: consuming ExecutorJob) {
        _ = scheduler.post(unconditionally: .executor(UnownedJob(job), .task))
    }
}
