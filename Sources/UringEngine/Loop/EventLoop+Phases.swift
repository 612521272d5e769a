internal import CUring
internal import Glibc

/// The tick, in the order of its phases.
extension EventLoop {
    func tick(mayWait: Bool, waitsAfterWork: Bool = true) throws(IOError) {
        try asCurrent { () throws(IOError) in
            counters.ticks &+= 1
            heartbeat.beat(counters.ticks)
            cachedNow = nil
            hasRunWork = false
            takePosted()
            fireTimers()
            runReady()
            flushWrites()
            try submitAndWait(mayWait: mayWait && (waitsAfterWork || !hasRunWork))
            reap()
            assert(checkInvariants())
        }
    }

    /// Swaps the inbox out under its lock and runs it after.
    ///
    /// Posted jobs come before ready ones.
    private func takePosted() {
        pool.collectReturns()
        guard scheduler.take(into: &posted) > 0 else { return }
        hasRunWork = true
        while let job = posted.popFirst() { run(job) }
    }

    private func fireTimers() {
        guard timers.count > 0 else { return }
        let now = now
        var budget = options.limits.timersPerTickMax
        while budget > 0, let job = timers.popDue(now: now) {
            hasRunWork = true
            run(job, origin: .timer)
            budget &-= 1
        }
    }

    /// Runs the jobs that are present now; what they add waits for the next tick.
    private func runReady() {
        var remaining = min(ready.count, options.limits.jobsPerTickMax)
        guard remaining > 0 else { return }
        hasRunWork = true
        // Most ticks have too few jobs for the clock to be looked at.
        let end = remaining > 64 ? endOfJobs : .max
        while remaining > 0, let job = ready.popFirst() {
            run(job)
            remaining &-= 1
            if remaining & 63 == 0, end != .max, driver.base.now() > end { return }
        }
    }

    private var endOfJobs: UInt64 {
        driver.base.now() &+ options.limits.jobsBudget.clampedNanoseconds
    }

    private func flushWrites() {
        // The table keeps a dirty owner: a flush ends no descriptor, it only begins to.
        dirty.takeAll {
            $0.isDirty = false
            $0.flush()
        }
    }

    /// One system call: what was prepared goes in, and the wait happens there.
    ///
    /// None while completions are unread.
    private func submitAndWait(mayWait: Bool) throws(IOError) {
        provideBuffers()
        cachedNow = nil
        guard !driver.hasUnreadCompletions else { return }
        if spinNanoseconds > 0, mayWait, try spinFindsWork() { return }
        let bound = mayWait ? park() : .poll
        guard bound != .poll else { return try driver.submitAndWait(.poll) }
        heartbeat.publish(isParked: true)
        defer {
            heartbeat.publish(isParked: false)
            scheduler.unpark()
        }
        try driver.submitAndWait(bound)
    }

    /// Nothing is left for the next tick but what comes from outside.
    var hasNothingToDo: Bool { ready.isEmpty && dirty.isEmpty && state == .running }

    /// Decides how long to wait.
    ///
    /// After any answer but `.poll` the inbox knows that the loop is parked.
    private func park() -> WaitBound {
        guard hasNothingToDo else { return .poll }
        if !starved.isEmpty {
            // Those armed again may have nothing to read: the next ones get their turn at the same
            // buffers.
            guard kernelBufferCount == 0, pool.requestWakeOnReturn() else { return .poll }
        }
        guard scheduler.park() else { return .poll }
        return nextDeadline.map { .deadline($0) } ?? .forever
    }

    /// When the loop has something to do by itself, in nanoseconds; nil for never.
    var nextDeadline: UInt64? {
        guard let timer = timers.nextDeadline else { return quarantine.nextRelease }
        return min(timer, quarantine.nextRelease ?? timer)
    }

    /// Copies completions out first: nothing is called while the queue is being read.
    private func reap() {
        driver.reap(into: &batch)
        for position in 0..<batch.count { dispatch(batch[position]) }
        batch.removeAll()
    }

    // MARK: Buffers

    /// Hands returned buffers to the kernel in one advance, then re-arms as many starved receives
    /// as it holds buffers.
    func provideBuffers() {
        if quarantine.nanoseconds > 0 { return provideRestedBuffers() }
        provideFreeBuffers()
        rearmStarved()
    }

    /// Hands over what is free: at the start the whole pool, none of which needs a rest.
    @inline(__always)
    func provideFreeBuffers() {
        guard pool.freeBufferCount > 0 else { return }
        // Safety: nothing gives a buffer back during the call.
        let room = providedBuffersMax &- pool.kernelOwnedCount
        unsafe driver.provide(pool.takeForKernel(atMost: room))
        driver.publish()
    }

    private func provideRestedBuffers() {
        while let buffer = pool.takeForKernel() {
            pool.fence(buffer)
            quarantine.hold(buffer, now: now)
        }
        var held = kernelBufferCount
        while held < providedBuffersMax, let buffer = quarantine.release(now: now) {
            pool.unfence(buffer)
            driver.base.provide(buffer)
            held += 1
        }
        driver.publish()
        rearmStarved()
    }

    /// Buffers that a receive can be given now.
    private var kernelBufferCount: Int { pool.kernelOwnedCount - quarantine.count }

    private func rearmStarved() {
        guard !starved.isEmpty else { return }
        var remaining = min(starved.count, kernelBufferCount)
        // Safety: the table keeps a starved owner; arming ends no descriptor.
        while remaining > 0, let owner = unsafe starved.popFirst() {
            unsafe owner._withUnsafeGuaranteedRef {
                $0.isStarved = false
                $0.buffersAvailable()
            }
            remaining -= 1
        }
    }

    /// The pool adds up, and nobody waits twice.
    ///
    /// The larger tables are checked by tests, after each step.
    ///
    /// True, so that it can stand in an `assert`.
    package func checkInvariants() -> Bool {
        pool.checkInvariants()
        precondition(openConnections >= 0, "connections end once")
        precondition(dirty.count <= descriptors.count, "an owner is marked once")
        precondition(starved.count <= descriptors.count, "an owner starves once")
        return true
    }
}
