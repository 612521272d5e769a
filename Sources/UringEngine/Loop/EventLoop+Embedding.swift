/// A loop that another one drives: epoll, GLib, SwiftNIO, or whatever waits for descriptors.
extension EventLoop {
    /// Readable while `step` has something to do, a post from another thread included; nil where the
    /// driver has none.
    ///
    /// Watch it level-triggered, for reading, and do nothing else with it. It is the ring's own
    /// descriptor, or where that does not wake (DEFER_TASKRUN), or there is no ring, that of an epoll
    /// set. A wait for it may also end with EINTR: step then, too.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The loop closes it in `shutDown`: take it out of the other loop before.
    ///
    /// - Throws: EMFILE and the like, when it is asked for first.
    public var completionDescriptor: Descriptor? {
        get throws(IOError) {
            checkOnLoop()
            return state == .shutDown ? nil : try driver.base.turnDescriptor()
        }
    }

    /// Does what there is to do, without waiting, and says what to wait for.
    ///
    /// ```swift
    /// while isRunning {
    ///     let pause = try loop.step()
    ///     // The other loop's wait, with its own descriptors beside `loop.completionDescriptor`.
    ///     poll(&descriptors, count, milliseconds(pause.nanosecondsLeft))
    /// }
    /// ```
    ///
    /// Between two steps the loop counts as parked: a post makes the descriptor readable. Nothing is
    /// lost when steps come late or for nothing. Everything prepared has been handed to the kernel when
    /// it returns. Each phase is bounded as in any turn, so a step with much to do ends with `.none`.
    ///
    /// > Thread: On-loop only, not from inside a callback. The thread that made the loop steps it.
    ///
    /// - Returns: what to wait for.
    /// - Throws: an error of `.wait` when the kernel refuses, or the loop was shut down.
    public func step() throws(IOError) -> LoopPause {
        try enter()
        defer { leave() }
        var bound = WaitBound.poll
        try asCurrent { () throws(IOError) in
            endWait()
            driver.base.beginTurn()
            // What was deferred to this thread becomes completions only now.
            try driver.submitAndWait(.poll)
            reap()
            runPhases()
            bound = try handOverAndPark()
            assert(checkInvariants())
        }
        return state == .stopping ? .stopped : LoopPause(bound)
    }

    /// Hands over what was prepared, then parks, if nothing is left to do.
    private func handOverAndPark() throws(IOError) -> WaitBound {
        provideBuffers()
        cachedNow = nil
        guard !driver.hasUnreadCompletions else { return .poll }
        try driver.submitAndWait(.poll)
        guard !driver.hasUnreadCompletions, !driver.base.needsAnotherTurn else { return .poll }
        return park()
    }
}

extension LoopPause {
    fileprivate init(_ bound: WaitBound) {
        switch bound {
        case .poll: self = .none
        case .forever: self = .forever
        case .deadline(let nanoseconds): self = .until(Deadline(nanoseconds: nanoseconds))
        }
    }
}
