/// One place where one task at a time waits for something that happens on its shard.
///
/// Whoever makes it happen calls `resume` from a plain callback; the task runs with the shard's next
/// ready jobs. A cancellation from any thread only posts to the shard.
///
/// > Thread: On-loop only.
@safe final class Waiter: @unchecked Sendable {
    // Sendable: a cancellation holds a reference and posts; all else happens on the loop's thread.
    // Safety: the variables marked so are the loop thread's alone.

    /// Why a wait ended.
    enum Outcome {
        /// What was waited for is there, or will never be.
        case ready
        /// The waiting task was cancelled.
        case cancelled
        /// The wait's own time is over.
        case deadlineExceeded
        /// The task went on elsewhere than on the shard: it prefers no executor, or another one.
        case elsewhere
        /// The shard has ended.
        case ended
    }

    private enum State {
        case idle
        /// A wait has begun; its task suspends, or is about to.
        case waiting
        /// The wait has ended; its task has not run yet.
        case over(Outcome)
    }

    private let loop: EventLoop
    @safe @exclusivity(unchecked) private var state = State.idle
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @safe @exclusivity(unchecked) private var timer: TimerID?
    /// Tells a late cancellation from one of the wait at hand.
    @safe @exclusivity(unchecked) private var number: UInt64 = 0

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// A task waits, or was resumed and has not run yet.
    @inline(__always)
    var isBusy: Bool {
        if case .idle = state { false } else { true }
    }

    /// A wait is under way that nothing has ended yet.
    var isWaiting: Bool {
        if case .waiting = state { true } else { false }
    }

    /// Waits for `resume`; `finish` must follow, and tells how it ended.
    ///
    /// The deadline of the task's innermost `withDeadline` counts as well.
    ///
    /// - Parameters:
    ///   - timeout: how long at most.
    ///   - isCancelledElsewhere: somebody else already watches this task for cancellation and will call
    ///     `resume(.cancelled)`; that saves registering a handler for each wait.
    func wait(timeout: Duration?, isCancelledElsewhere: Bool) async {
        begin(timeout: timeout, before: DeadlineScope.current)
        await end(isCancelledElsewhere: isCancelledElsewhere)
    }

    // MARK: Step by step

    /// Begins a wait: from here on a `resume` counts.
    ///
    /// Not first where the task suspends: on its way there an actor's task leaves the shard for a
    /// moment, and what happens meanwhile must not be lost.
    @inline(__always)
    func begin() {
        precondition(!isBusy, "one task waits at a time")
        state = .waiting
        number &+= 1
    }

    /// The same, for a time at most.
    func begin(timeout: Duration?, before deadline: Deadline?) {
        begin()
        if let deadline {
            setTimer(timeout: timeout, before: deadline)
        } else if let timeout {
            timer = loop.addTimer(after: timeout, .target(self, tag: 0))
        }
    }

    @inline(never)
    private func setTimer(timeout: Duration?, before deadline: Deadline) {
        let end = timeout.map { min(deadline, Deadline.after($0)) } ?? deadline
        timer = loop.addTimer(at: end.nanoseconds, .target(self, tag: 0))
    }

    /// Suspends until the wait ends.
    func end(isCancelledElsewhere: Bool) async {
        if isCancelledElsewhere {
            await suspend()
        } else {
            await suspendWatchingForCancellation(number)
        }
    }

    private func suspend() async {
        await unsafe withUnsafeContinuation { unsafe suspend($0) }
    }

    private func suspendWatchingForCancellation(_ number: UInt64) async {
        await withTaskCancellationHandler {
            await suspend()
        } onCancel: {
            loop.callSoonThreadsafe { self.cancel(number) }
        }
    }

    private func cancel(_ number: UInt64) {
        if number == self.number { resume(.cancelled) }
    }

    /// A task suspends here.
    ///
    /// > Thread: Any thread: an actor's task may be elsewhere for this moment.
    ///
    /// Safety: the continuation is resumed exactly once, by whoever takes it out, or at once.
    @inline(__always)
    func suspend(_ continuation: UnsafeContinuation<Void, Never>) {
        guard loop.isRunningHere else { return unsafe suspendElsewhere(continuation) }
        if case .waiting = state {
            unsafe self.continuation = continuation
        } else {
            unsafe continuation.resume()
        }
    }

    // Safety: as of `suspend`.
    @inline(never)
    private func suspendElsewhere(_ continuation: UnsafeContinuation<Void, Never>) {
        let isQueued = loop.callBeforeEnd { unsafe self.suspend(continuation) }
        if !isQueued { unsafe continuation.resume() }
    }

    /// Ends the wait, if there is one.
    @inline(__always)
    func resume(_ outcome: Outcome = .ready) {
        guard case .waiting = state else { return }
        state = .over(outcome)
        if timer != nil { clearTimer() }
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume()
    }

    /// The task goes on.
    ///
    /// > Thread: Any thread: where a task goes on is not ours to decide.
    @inline(__always)
    func finish() -> Outcome {
        guard loop.isRunningHere else { return finishElsewhere() }
        guard case .over(let outcome) = state else {
            preconditionFailure("a task goes on when its wait is over")
        }
        state = .idle
        return outcome
    }

    @inline(never)
    private func finishElsewhere() -> Outcome {
        loop.callBeforeEnd { self.state = .idle } ? .elsewhere : .ended
    }

    private func clearTimer() {
        guard let timer else { return }
        self.timer = nil
        loop.cancelTimer(timer)
    }
}

extension Waiter: JobTarget {
    /// The wait's time is over.
    func runJob(tag: UInt8) {
        timer = nil
        resume(.deadlineExceeded)
    }

    /// The shard has ended: a task that is not told would wait for ever.
    func timerDropped(tag: UInt8) {
        timer = nil
        resume(.ended)
    }
}
