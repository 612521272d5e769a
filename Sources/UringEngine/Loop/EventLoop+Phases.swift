internal import CUring
internal import Glibc

/// The tick, in the order of its phases.
extension EventLoop {
    func tick(mayWait: Bool, waitsAfterWork: Bool = true) throws(IOError) {
        try asCurrent { () throws(IOError) in
            runPhases()
            try submitAndWait(mayWait: mayWait && (waitsAfterWork || !hasRunWork))
            reap()
            assert(checkInvariants())
        }
    }

    /// Everything before the wait.
    @inline(__always)
    func runPhases() {
        counters.ticks &+= 1
        heartbeat.beat(counters.ticks)
        cachedNow = nil
        hasRunWork = false
        takePosted()
        fireTimers()
        runReady()
        flushWrites()
    }

    /// Swaps the inbox out under its lock and runs it after.
    ///
    /// Posted jobs come before ready ones.
    @inline(__always)
    private func takePosted() {
        pool.collectReturns()
        guard scheduler.mayHavePosts, scheduler.take(into: &posted) > 0 else { return }
        hasRunWork = true
        while let job = posted.popFirst() { run(job) }
    }

    @inline(__always)
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
    @inline(__always)
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
        defer { endWait() }
        try driver.submitAndWait(bound)
    }

    /// The same, for a driver that does not block; `endWait` follows later.
    func beginWait() throws(IOError) {
        provideBuffers()
        cachedNow = nil
        guard !driver.hasUnreadCompletions else { return }
        let bound = park()
        if bound != .poll { heartbeat.publish(isParked: true) }
        try driver.submitAndWait(bound)
    }

    /// The loop is awake: a post needs no wake.
    @inline(__always)
    func endWait() {
        heartbeat.publish(isParked: false)
        scheduler.unpark()
    }

    /// Nothing is left for the next tick but what comes from outside.
    var hasNothingToDo: Bool { ready.isEmpty && dirty.isEmpty && state == .running }

    /// Decides how long to wait.
    ///
    /// After any answer but `.poll` the inbox knows that the loop is parked.
    func park() -> WaitBound {
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
        guard let timer = timers.nextDeadline else { return nextRelease }
        return min(timer, nextRelease ?? timer)
    }

    /// When a buffer has rested; nil while the kernel has no place for it anyway: a receive makes that.
    private var nextRelease: UInt64? {
        guard let release = quarantine.nextRelease else { return nil }
        return kernelBufferCount < providedBuffersMax ? release : nil
    }

    /// Copies completions out first: nothing is called while the queue is being read.
    func reap() {
        driver.reap(into: &batch)
        for position in 0..<batch.count { dispatch(batch[position]) }
        batch.removeAll()
    }

    // MARK: Buffers

    /// Hands returned buffers to the kernel in one advance, then re-arms starved receives, each for
    /// its share of what the kernel holds.
    func provideBuffers() {
        if quarantine.nanoseconds > 0 { return provideRestedBuffers() }
        provideFreeBuffers()
        if !starved.isEmpty { rearmStarved() }
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
        if !starved.isEmpty { rearmStarved() }
    }

    /// Buffers that a receive can be given now.
    private var kernelBufferCount: Int { pool.kernelOwnedCount - quarantine.count }

    private func rearmStarved() {
        guard kernelBufferCount > 0 else { return }
        // As many as there are shares: with more, the first few would take all buffers, and the rest
        // lose their places for it. A share is two buffers at least: a receive for one is over after
        // one message, however small, and would stand in line for the next.
        var remaining = min(starved.count, max(1, kernelBufferCount / 2))
        let share = kernelBufferCount / remaining * options.bufferBytes
        // Safety: the table keeps a starved owner; arming ends no descriptor.
        while remaining > 0, let owner = unsafe starved.popFirst() {
            unsafe owner._withUnsafeGuaranteedRef {
                $0.isStarved = false
                $0.buffersAvailable(share)
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
