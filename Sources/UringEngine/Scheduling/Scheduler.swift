internal import DequeModule
internal import Synchronization

/// The inbox of one loop: the only door by which other threads give it work.
///
/// No wake-up is lost, by construction: the queue and the flag `isParked` are behind one mutex. A
/// post before `park` is seen by `park`, which then refuses; a post after it sees the flag, clears
/// it, and asks its caller for the one wake.
///
/// > Thread: `post`, `close` and the counters: any thread. `take`, `park`, `unpark`: on-loop only.
/// > Ownership: Holds the posted jobs until they are taken. It neither runs a job nor drops one
///   while it holds the lock.
package final class Scheduler: Sendable {
    /// A spare with more room than this is not reused (384 KiB of jobs): one burst is no reason to
    /// keep its peak for ever.
    package static let spareCapacityMax = 16_384

    private struct State: ~Copyable {
        var inbox = UniqueDeque<Job>()
        var isParked = false
        var isClosed = false
        var isSealed = false
        var counters = SchedulerCounters()
    }

    private let state = Mutex(State())

    /// Whether the inbox has jobs, for a busy loop that would rather not lock to learn that it has
    /// none. Only a hint:
    ///
    /// It changes only under the lock, together with the inbox; it is read without. A stale `false`
    /// delays a job by a tick at most, it can't put the loop to sleep, because `park` looks at the
    /// inbox itself, under the lock. When `park` has refused, or `unpark` has run after a wake,
    /// that lock came after the post's unlock, so the next read sees the post's `true`. Relaxed is
    /// enough: the jobs themselves are ordered by the mutex.
    private let hasPosts = Atomic(false)

    /// Makes an open, empty scheduler.
    package init() {}

    /// Queues a job, unless the scheduler is closed.
    ///
    /// - Returns: Whether it was queued and whether the caller has to wake the loop.
    package func post(_ job: consuming Job) -> PostOutcome {
        // Moved into the inbox, not copied: a reference that stayed here could be the last one, and
        // what the closure holds would be freed on this thread after the loop has run it.
        var moving: Job? = job
        return state.withLock { state in
            guard !state.isClosed, let job = moving.take() else {
                state.counters.refusals &+= 1
                return .refused
            }
            return enqueue(job, in: &state)
        }
    }

    /// Queues a job even after `close`: a task whose step is refused never ends.
    ///
    /// - Returns: Whether the caller has to wake the loop; `.refused` only after `seal`: then the
    ///   caller finds another place to run it.
    package func post(unconditionally job: consuming Job) -> PostOutcome {
        var moving: Job? = job
        return state.withLock { state in
            guard !state.isSealed, let job = moving.take() else { return .refused }
            return enqueue(job, in: &state)
        }
    }

    /// Takes all posted jobs, by a swap with the emptied batch of the last time: nothing is
    /// allocated or run in the lock.
    ///
    /// When the hint says that there are none, it does not even lock. When it locks, it also
    /// unparks.
    ///
    /// - Parameter batch: Empty; it becomes the inbox, the inbox becomes the batch.
    /// - Returns: How many jobs were taken.
    @discardableResult
    package func take(into batch: inout ReadyQueue) -> Int {
        precondition(batch.isEmpty, "a batch is run to its end before the next is taken")
        guard hasPosts.load(ordering: .relaxed) else { return 0 }
        if batch.capacity > Self.spareCapacityMax { batch = ReadyQueue() }
        state.withLock { state in
            swap(&state.inbox, &batch.jobs)
            state.isParked = false
            hasPosts.store(false, ordering: .relaxed)
        }
        return batch.count
    }

    /// Whether the inbox seems to have jobs: the hint, for a loop that is not about to park.
    @inline(__always)
    package var mayHavePosts: Bool { hasPosts.load(ordering: .relaxed) }

    /// Announces that the loop is about to wait.
    ///
    /// From here until `unpark`, the first post asks for a wake.
    ///
    /// - Returns: Whether it may wait; false when jobs are queued.
    package func park() -> Bool {
        state.withLock { state in
            state.isParked = state.inbox.isEmpty
            return state.isParked
        }
    }

    /// Withdraws the announcement; called after every wait, whatever ended it.
    package func unpark() {
        state.withLock { $0.isParked = false }
    }

    /// Refuses later posts.
    ///
    /// What is queued can still be taken, and steps of Swift tasks still come in. Nobody is woken.
    package func close() {
        state.withLock { $0.isClosed = true }
    }

    /// Refuses steps of Swift tasks too; called when nobody will ever take again.
    ///
    /// - Parameter batch: empty; it becomes what was queued, which the caller still has to run.
    package func seal(into batch: inout ReadyQueue) {
        precondition(batch.isEmpty, "a batch is run to its end before the next is taken")
        state.withLock { state in
            swap(&state.inbox, &batch.jobs)
            state.isClosed = true
            state.isSealed = true
            hasPosts.store(false, ordering: .relaxed)
        }
    }

    /// Whether posts are refused.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// The counters, all read at one moment.
    package var counters: SchedulerCounters { state.withLock { $0.counters } }

    @inline(__always)
    private func enqueue(_ job: consuming Job, in state: inout State) -> PostOutcome {
        if state.inbox.isEmpty { hasPosts.store(true, ordering: .relaxed) }
        state.inbox.append(job)
        state.counters.posts &+= 1
        guard state.isParked else { return .queued }
        state.isParked = false
        state.counters.wakesAsked &+= 1
        return .queuedWakeNeeded
    }

    /// Traps unless a parked inbox is empty, the hint agrees with the inbox, and the counters add
    /// up.
    package func checkInvariants() {
        state.withLock { state in
            precondition(!state.isParked || state.inbox.isEmpty, "a post unparks")
            let hint = hasPosts.load(ordering: .relaxed)
            precondition(hint == !state.inbox.isEmpty, "in the lock the hint is exact")
            precondition(
                state.counters.wakesAsked <= state.counters.posts,
                "only a post asks for a wake"
            )
        }
    }
}
