internal import CUring

// Safety: `raw` lives as long as the driver; each call reads shared words or makes one system call.
extension UringDriver {
    /// A wait longer than this is cut: the loop simply waits again.
    private static let waitMaxNanoseconds: UInt64 = 86_400_000_000_000

    /// Completions lie in the queue that `reap` has not copied yet.
    package var hasUnreadCompletions: Bool { unsafe cu_ready_completions(raw) > 0 }

    /// Hands prepared operations over and waits, in at most one io_uring_enter(2).
    ///
    /// The kernel runs about 20 pieces of deferred work an enter, unless it is told to wait for
    /// more. Asking for a whole batch with a zero timeout collects all in one enter, but its
    /// expired timer costs 17 µs on a virtual machine, against 0.2 µs for another enter: 128 ready
    /// descriptors took 20 µs in one enter and 6 µs in seven. So a wait is for one completion, or
    /// none, and SQ_TASKRUN, still up afterwards, brings the loop back.
    ///
    /// - Throws: an error of `.wait` when the kernel refuses for good.
    package func submitAndWait(_ bound: WaitBound) throws(IOError) {
        if unsafe needsSettling { settle() }
        guard !isPolledByKernel else { return try waitBesidePoller(bound) }
        let prepared = unsafe cu_flush_entries(raw)
        let queueFlags = unsafe cu_queue_flags(raw)
        if queueFlags & UInt32(IORING_SQ_CQ_OVERFLOW) != 0 { unsafe counters.overflows &+= 1 }
        let patience = patienceNanoseconds(bound)
        if patience == Patience.none, prepared == 0 {
            guard UringRing.isWaitingForEnter(queueFlags), !hasUnreadCompletions else { return }
        }
        try enter(submit: prepared, patience, flags: UInt32(IORING_ENTER_GETEVENTS))
    }

    /// The same beside a kernel thread that takes the entries: an enter is needed to wake that
    /// thread, or to wait.
    private func waitBesidePoller(_ bound: WaitBound) throws(IOError) {
        countPolledSubmissions()
        let prepared = unsafe cu_flush_entries(raw)
        // The thread may fall asleep between our store of the tail and its last look: the barrier
        // orders the two.
        let queueFlags = unsafe cu_queue_flags_after_barrier(raw)
        if queueFlags & UInt32(IORING_SQ_CQ_OVERFLOW) != 0 { unsafe counters.overflows &+= 1 }
        let isAsleep = queueFlags & UInt32(IORING_SQ_NEED_WAKEUP) != 0 && prepared > 0
        let patience = patienceNanoseconds(bound)
        let isFlagged = isAsleep || UringRing.isWaitingForEnter(queueFlags)
        if patience == Patience.none, !isFlagged { return }
        let wakeUp = isAsleep ? UInt32(IORING_ENTER_SQ_WAKEUP) : 0
        try enter(submit: prepared, patience, flags: UInt32(IORING_ENTER_GETEVENTS) | wakeUp)
    }

    /// How long a wait may take, in nanoseconds, in the form that an enter wants it.
    private enum Patience {
        /// No wait.
        static let none: Int64 = 0
        /// No end.
        static let unlimited: Int64 = -1
    }

    /// No patience while completions are unread.
    ///
    /// A deadline in the past is none either: the kernel would take a negative timeout and return
    /// at once, forever.
    @inline(__always)
    private func patienceNanoseconds(_ bound: WaitBound) -> Int64 {
        // With a backlog too: what lies in it cannot complete, so nothing would end the wait.
        if unsafe hasBacklog || hasUnreadCompletions { return Patience.none }
        switch bound {
        case .poll: return Patience.none
        case .forever: return Patience.unlimited
        case .deadline(let instant):
            let now = now()
            guard instant > now else { return Patience.none }
            return Int64(min(instant &- now, Self.waitMaxNanoseconds))
        }
    }

    @inline(__always)
    private func enter(submit: UInt32, _ patience: Int64, flags: UInt32) throws(IOError) {
        let isWaiting = patience != Patience.none
        let result = ring.enter(
            submit: submit,
            wait: isWaiting ? 1 : 0,
            flags: isWaiting ? flags | ring.waitFlags : flags,
            within: isWaiting ? patience : Patience.unlimited
        )
        unsafe counters.enters &+= 1
        if result >= 0 {
            if !isPolledByKernel { unsafe counters.submissions &+= UInt64(result) }
            return
        }
        try explain(Errno(result: result))
    }

    /// A wait that did not simply succeed: most reasons are an end of the wait like any other.
    @inline(never)
    private func explain(_ errno: Errno) throws(IOError) {
        switch errno {
        case .interrupted:
            break  // A signal, even one with SA_RESTART. The loop looks around and waits again.
        case .timerExpired:
            break  // The deadline of the wait.
        case .again:
            break  // No memory for a request now. Entries stay in the queue for the next turn.
        case .busy:
            break  // Completions overflow (before Linux 5.19): the loop reaps, then submits.
        default: throw IOError(.wait, descriptor: ring.descriptor, errno: errno)
        }
    }

    /// Does what could not be done when it came up: entries beyond the queue, the waker's poll.
    @inline(never)
    private func settle() {
        settleBacklog()
        if !isWakerArmed, !isShutDown { armWaker() }
        unsafe needsSettling = hasBacklog
    }

    /// Hands the full queue over without waiting.
    ///
    /// Its errors come up again at the next wait, which can throw.
    func handOver() {
        countPolledSubmissions()
        let prepared = unsafe cu_flush_entries(raw)
        var flags: UInt32 = 0
        if isPolledByKernel {
            let isAsleep =
                unsafe cu_queue_flags_after_barrier(raw) & UInt32(IORING_SQ_NEED_WAKEUP) != 0
            // The kernel's thread takes the entries; SQ_WAIT lets this one sleep until there is
            // room.
            flags = UInt32(IORING_ENTER_SQ_WAIT) | (isAsleep ? UInt32(IORING_ENTER_SQ_WAKEUP) : 0)
        }
        let result = ring.enter(
            submit: prepared,
            wait: 0,
            flags: flags,
            within: Patience.unlimited
        )
        unsafe counters.enters &+= 1
        if result > 0, !isPolledByKernel { unsafe counters.submissions &+= UInt64(result) }
    }

    /// Beside a polling thread a flushed entry is handed over: no enter tells how many it took.
    private func countPolledSubmissions() {
        guard isPolledByKernel else { return }
        unsafe counters.submissions &+= UInt64(cu_unflushed_entries(raw))
    }
}
