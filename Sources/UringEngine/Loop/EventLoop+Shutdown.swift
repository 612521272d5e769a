internal import Synchronization

/// Loops with operations that the kernel never ended: it may still read or write what their owners hold.
private let keptLoops = Mutex<[KeptLoop]>([])

/// A loop that is kept, with the owners that its table holds: the table lies in mapped memory, where a
/// search for leaks does not look.
private struct KeptLoop: @unchecked Sendable {
    // Safety: they are kept, and nobody uses them any more.
    let loop: EventLoop
    let owners: [DescriptorOwner]

    init(_ loop: EventLoop) {
        var owners: [DescriptorOwner] = []
        loop.descriptors.visitAll {
            if let owner = loop.descriptors[$0].owner { owners.append(owner) }
        }
        self.loop = loop
        self.owners = owners
    }
}

/// The end of a loop: drain, then reap to zero, then give the kernel's resources back, in this
/// order.
extension EventLoop {
    /// Tells every transport and listener to finish what is under way and to take nothing new.
    ///
    /// > Thread: On-loop only.
    public func drain() {
        checkOnLoop()
        descriptors.visitAll { descriptors[$0].owner?.drain() }
    }

    /// The loop was shut down: nothing runs on it any more.
    public var isShutDown: Bool { state == .shutDown }

    /// Nothing is open any more.
    public var isDrained: Bool { descriptors.count == 0 }

    /// Ends everything: connections are reset, operations are cancelled and waited for, the ring is
    /// closed, then the pool.
    ///
    /// Posts are refused from now on; those already taken in are run. Operations that do not end in
    /// `grace` keep the loop, and with it all memory that the kernel may still use, until the process
    /// ends; the log says so.
    ///
    /// > Thread: On-loop only, not from inside a callback.
    ///
    /// - Returns: how many operations did not end.
    @discardableResult
    public func shutDown(grace: Duration = .seconds(5)) -> Int {
        checkOnLoop()
        precondition(state != .running && state != .stopping, "a running loop is stopped first")
        guard state != .shutDown else { return 0 }
        scheduler.close()
        let end = driver.base.now() &+ grace.clampedNanoseconds
        reapToZero(until: end)
        runLastJobs()
        state = .shutDown
        let now = driver.base.now()
        let leftCount =
            driver.base.shutDown(graceNanoseconds: end > now ? end - now : 0) + offloadedCount
        dropTimers()
        sealInbox()
        endGuardAgainstBrokenPipes()
        if leftCount > 0 {
            options.log("\(leftCount) operations did not end; their memory is kept on purpose")
            let kept = KeptLoop(self)
            keptLoops.withLock { $0.append(kept) }
        } else {
            endRest()
            pool.orphan()
        }
        endFileCalls(areKept: leftCount > 0)
        return leftCount
    }

    /// At least one tick, for the posts; after it until nothing is open, or the time is over.
    private func reapToZero(until end: UInt64) {
        // A timer bounds each wait; nothing else may be pending.
        let timer = addTimer(at: end, .closure {})
        defer { cancelTimer(timer) }
        var mayWait = false
        repeat {
            // Each time: a callback may have opened something, or asked for a stop.
            descriptors.visitAll { descriptors[$0].owner?.endForShutdown() }
            state = .running
            do throws(IOError) {
                try tick(mayWait: mayWait)
            } catch {
                options.log("shutdown goes on without waiting: \(error)")
                return
            }
            // A job may open something before the wait; then the wait is not for that.
            mayWait = ready.isEmpty
        } while driver.base.now() < end && (descriptors.count > 0 || !ready.isEmpty)
    }

    /// What the last tick queued, `connectionLost` among it, is owed even when the grace is over.
    private func runLastJobs() {
        var remaining = ready.count
        while remaining > 0, let job = ready.popFirst() {
            run(job)
            remaining &-= 1
        }
        // What these asked for in their turn is too late, and would keep the loop alive; but a task
        // whose step is dropped never ends.
        while let job = ready.popFirst() { passOn(job) }
    }

    /// Who waits for a timer is told that it never fires.
    private func dropTimers() {
        for job in timers.removeAll() {
            if case .target(let target, let tag) = job { target.timerDropped(tag: tag) }
        }
    }

    /// From here on everything is refused; steps of Swift tasks are run elsewhere.
    private func sealInbox() {
        scheduler.seal(into: &posted)
        while let job = posted.popFirst() {
            if case .closure(let body) = job { run(body, origin: .job) } else { passOn(job) }
        }
    }

    private func passOn(_ job: Job) {
        guard case .executor(let step, let role) = job else { return }
        executors?.late(step, role)
    }

    /// The driver ended what the grace was too short for; its completions are never seen, so the
    /// owners are told here.
    private func endRest() {
        descriptors.visitAll { descriptors[$0].owner?.endForShutdown() }
        for token in operations.inFlightTokens {
            dispatch(Completion(token: token, result: -Errno.cancelled.rawValue))
        }
        runLastJobs()
    }
}
