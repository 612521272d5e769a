/// Jobs and timers.
extension EventLoop {
    /// Runs `body` in this tick or the next, after what was scheduled before it; never, once the loop
    /// was shut down.
    ///
    /// What it throws goes to `onCallbackError`.
    ///
    /// > Thread: On-loop only.
    public func callSoon(_ body: @escaping () throws -> Void) {
        checkOnLoop()
        guard state != .shutDown else { return }
        ready.append(.closure(body))
    }

    /// As `callSoon`, with a handle that can take it back.
    ///
    /// > Thread: On-loop only.
    public func callSoonWithHandle(_ body: @escaping () throws -> Void) -> CallbackHandle {
        checkOnLoop()
        let handle = CallbackHandle(loop: self, body)
        guard state != .shutDown else {
            handle.cancel()
            return handle
        }
        ready.append(.target(handle, tag: 0))
        return handle
    }

    /// Runs `body` on the loop's thread.
    ///
    /// Posted jobs run first-in first-out, before those of `callSoon`.
    ///
    /// An awake loop costs its caller no system call; a parked one costs one write, however many
    /// posts.
    ///
    /// > Thread: Any thread.
    ///
    /// - Returns: false when the loop was shut down; then `body` never runs.
    @discardableResult
    public func callSoonThreadsafe(_ body: @escaping @Sendable () throws -> Void) -> Bool {
        checkProcess()
        switch scheduler.post(.closure(body)) {
        case .refused: return false
        case .queued: return true
        case .queuedWakeNeeded:
            waker.wake()
            return true
        }
    }

    /// Runs `body` after `delay`; a negative one counts as zero.
    ///
    /// > Thread: On-loop only.
    @discardableResult
    public func callLater(_ delay: Duration, _ body: @escaping () throws -> Void) -> TimerHandle {
        callAt(Deadline.after(delay, from: driver.base.now()), body)
    }

    /// Runs `body` at `deadline`.
    ///
    /// Equal deadlines run in the order they were set.
    ///
    /// > Thread: On-loop only.
    @discardableResult
    public func callAt(_ deadline: Deadline, _ body: @escaping () throws -> Void) -> TimerHandle {
        TimerHandle(loop: self, id: addTimer(at: deadline.nanoseconds, .closure(body)))
    }

    /// Runs `body` at once on the loop's thread, from elsewhere soon; never, once the loop was shut
    /// down.
    ///
    /// > Thread: Any thread.
    package func perform(_ body: @escaping @Sendable () -> Void) {
        if isRunningHere { body() } else { callSoonThreadsafe(body) }
    }

    /// Sets a timer for an internal job.
    package func addTimer(at nanoseconds: UInt64, _ job: Job) -> TimerID {
        checkOnLoop()
        let id = timers.add(deadline: nanoseconds, payload: job)
        // A loop that was shut down fires no timer, and keeps nothing for one.
        if state == .shutDown { _ = timers.cancel(id) }
        return id
    }

    /// Sets a timer for an internal job, counted from the moment of the call.
    package func addTimer(after delay: Duration, _ job: Job) -> TimerID {
        addTimer(at: Deadline.after(delay, from: driver.base.now()).nanoseconds, job)
    }

    /// Takes a timer back; one that fired is left alone.
    package func cancelTimer(_ id: TimerID) {
        checkOnLoop()
        _ = timers.cancel(id)
    }

    /// Queues an internal job behind what is ready.
    package func schedule(_ target: any JobTarget, tag: UInt8) {
        ready.append(.target(target, tag: tag))
    }

    // MARK: Running one

    func run(_ job: Job, origin: CallbackFailure.Origin = .job) {
        switch job {
        case .closure(let body): run(body, origin: origin)
        case .target(let target, let tag): target.runJob(tag: tag)
        case .executor(let job, let role): runExecutorJob(job, role)
        }
    }

    func run(_ body: () throws -> Void, origin: CallbackFailure.Origin) {
        do {
            try body()
        } catch {
            onCallbackError(CallbackFailure(error: error, origin: origin))
        }
    }

    // MARK: Swift tasks

    /// Queues a step of a Swift task: on the loop without a lock, elsewhere by the inbox.
    ///
    /// > Thread: Any thread.
    ///
    /// - Returns: false when the loop was shut down: the caller runs the step elsewhere.
    @inline(__always)
    package func enqueue(_ job: UnownedJob, for role: ExecutorRole) -> Bool {
        guard isRunningHere else { return post(unconditionally: .executor(job, role)) }
        #if DEBUG
        queuedStepCount &+= 1
        #endif
        ready.append(.executor(job, role))
        return true
    }

    /// Runs `body` on the loop's thread, even while the loop is being shut down.
    ///
    /// > Thread: Any thread.
    ///
    /// - Returns: false when the loop has ended: nothing happens on it any more.
    package func callBeforeEnd(_ body: @escaping @Sendable () -> Void) -> Bool {
        post(unconditionally: .closure(body))
    }

    private func post(unconditionally job: consuming Job) -> Bool {
        switch scheduler.post(unconditionally: job) {
        case .refused: return false
        case .queued: return true
        case .queuedWakeNeeded:
            waker.wake()
            return true
        }
    }

    /// A task's jobs run as the task executor's, an actor's as both executors': each other way costs
    /// an extra enqueue a call.
    // Safety: whoever installed the executors keeps them as long as the loop.
    @inline(__always)
    private func runExecutorJob(_ job: UnownedJob, _ role: ExecutorRole) {
        guard let executors else {
            preconditionFailure("a loop without executors is asked for no task's step")
        }
        switch role {
        case .task: unsafe job.runSynchronously(on: executors.task)
        case .actor:
            unsafe job.runSynchronously(isolatedTo: executors.actor, taskExecutor: executors.task)
        }
    }
}
