internal import CUring

// Safety: `raw` lives as long as the driver. The ring is closed last, so that the kernel has let go
// of everything that has ended, and what has not is counted.
extension UringDriver {
    /// A cancel may come while an operation is between two states: it is repeated this often.
    private static let roundNanoseconds: UInt64 = 20_000_000

    /// Ends every operation that is left, waits for it, and gives the kernel's resources back.
    ///
    /// Closing a ring does not wait for its operations: the kernel writes into buffers after
    /// io_uring_queue_exit(3) has returned (measured). So all are cancelled and reaped first.
    ///
    /// - Returns: how many did not end within `graceNanoseconds`; their memory must never be
    ///   unmapped.
    package func shutDown(graceNanoseconds: UInt64) -> Int {
        guard !isShutDown else { return leftByShutDown }
        isShutDown = true
        let (sum, isBeyond) = now().addingReportingOverflow(graceNanoseconds)
        let deadline = isBeyond ? .max : sum
        var drain = Drain(ownInFlight: isWakerArmed ? 1 : 0)
        while unsafe operationsInFlight > 0, prepareCancels(&drain) {
            let round = min(deadline, now() &+ Self.roundNanoseconds)
            guard reap(until: round, &drain), now() < deadline else { break }
        }
        buffers?.unregister(from: ring)
        ring.close()
        turn = nil
        leftByShutDown = unsafe operationsInFlight - drain.ownInFlight
        return leftByShutDown
    }

    /// What a shut-down learns on its way.
    private struct Drain {
        /// The driver's own operations that have not ended.
        ///
        /// They hold no memory, so they are not reported.
        var ownInFlight: Int
        /// The kernel cannot cancel all at once (before Linux 5.19).
        var refusesAll = false
    }

    /// Asks for the end of all; before Linux 5.19 for that of the waker's poll, the only token that
    /// is known here.
    ///
    /// - Returns: false when the queue has no room and the kernel takes nothing.
    private func prepareCancels(_ drain: inout Drain) -> Bool {
        settleBacklog()
        if unsafe hasBacklog {
            handOver()
            settleBacklog()
        }
        guard let entry = unsafe cu_next_entry(raw) else { return handOverForRoom() }
        unsafe operationsInFlight &+= 1
        drain.ownInFlight += 1
        if drain.refusesAll {
            let waker = OperationToken.driverOwn(.waker).rawValue
            unsafe cu_prepare_cancel(entry, waker, OperationToken.driverOwn(.cancelWaker).rawValue)
        } else {
            unsafe cu_prepare_cancel_any(entry, OperationToken.driverOwn(.cancelAll).rawValue)
        }
        return true
    }

    private func handOverForRoom() -> Bool {
        let before = unsafe cu_prepared_entries(raw)
        handOver()
        return unsafe cu_prepared_entries(raw) < before
    }

    /// Reaps until nothing is in flight or the round is over.
    ///
    /// It enters the kernel at least once.
    ///
    /// - Returns: false when the kernel refuses to be waited
    /// for.
    private func reap(until round: UInt64, _ drain: inout Drain) -> Bool {
        while true {
            let instant = now()
            let patience = instant < round ? Int64(clamping: round - instant) : 0
            let result = ring.submitAndWait(within: patience)
            unsafe counters.enters &+= 1
            while ring.readyCompletions > 0 { discardOne(&drain) }
            if unsafe operationsInFlight == 0 || patience == 0 { return true }
            switch result < 0 ? Errno(result: result) : nil {
            case nil, .interrupted, .timerExpired, .again, .busy: break
            // Such as EBADF or EEXIST from a thread that is not the ring's: waiting on would spin.
            case .some: return false
            }
        }
    }

    /// Drops one completion, but not the descriptor it may carry: nobody else will ever learn of
    /// it.
    private func discardOne(_ drain: inout Drain) {
        let entry = unsafe cu_completion(raw, 0).pointee
        unsafe cu_advance_completions(raw, 1)
        unsafe counters.completions &+= 1
        let token = OperationToken(rawValue: entry.user_data)
        if entry.flags & UInt32(IORING_CQE_F_MORE) == 0 {
            unsafe operationsInFlight &-= 1
            if token.isDriverOwn { drain.ownInFlight -= 1 }
        }
        if token.kind?.returnsDescriptor == true, entry.res >= 0 {
            _ = cu_close(entry.res)
        }
        if token == .driverOwn(.cancelAll), entry.res == -Errno.invalid.rawValue {
            drain.refusesAll = true
        }
    }
}
