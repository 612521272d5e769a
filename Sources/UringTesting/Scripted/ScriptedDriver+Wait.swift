internal import CUring
internal import Glibc
package import UringEngine

extension ScriptedDriver {
    /// The virtual clock, in nanoseconds.
    package func now() -> UInt64 { clockNanoseconds }

    /// A completion was queued that `reap` has not copied.
    package var hasUnreadCompletions: Bool { !unread.isEmpty }

    /// Hands the prepared operations over, then returns as soon as there is a reason to; it never
    /// blocks.
    ///
    /// With no reason, `onIdle` may supply one; then a deadline moves the clock to itself.
    ///
    /// - Throws: what `failNext(.wait, with:)` scripted, or EDEADLK when the loop would wait
    ///   forever.
    package func submitAndWait(_ bound: WaitBound) throws(IOError) {
        precondition(!hasEnded, "a driver that was shut down is not waited on")
        if let errno = takeFailure(of: .wait) { throw IOError(.wait, errno: errno) }
        let wait = record(bound)
        handOver()
        // A wake is a completion of the kernel's: only an enter brings it in.
        let isWoken = wait.isEnter && scriptedWaker.take()
        if isWoken { metrics.wakes += 1 }
        let isInterrupted = wait.isEnter && self.isInterrupted
        if isInterrupted { self.isInterrupted = false }
        if hasUnreadCompletions || isWoken || isInterrupted { return }
        guard bound != .poll else {
            onPoll?(self)
            return
        }
        try idle(bound)
    }

    /// Copies completions out in the order in which they were queued.
    package func reap(into batch: inout CompletionBatch) {
        let count = min(batch.room, unread.count)
        for completion in unread.prefix(count) {
            batch.append(completion)
            if completion.isTerminal { operationTable.finish(completion.token) }
        }
        unread.removeFirst(count)
        metrics.completions += UInt64(count)
    }

    // MARK: What a test does

    /// Moves the clock forward.
    package func advance(by duration: Duration) {
        clockNanoseconds += duration.clampedNanoseconds
    }

    /// Makes the next wait return early, as a signal does.
    package func interruptNextWait() {
        isInterrupted = true
    }

    /// How often the waker was called, from any thread.
    package var wakeCount: Int { scriptedWaker.wakeCount }

    /// A wake came that no wait has seen yet.
    package var isWakePending: Bool { scriptedWaker.isPending }

    /// How many system calls were made although completions lay unread: zero in a good loop.
    package var entersWithUnreadCompletions: Int {
        waits.count { $0.isEnter && $0.hadUnreadCompletions }
    }

    // MARK: How it is done

    /// Counts as the real driver does: an enter is needed to hand something over, or to wait for a
    /// first completion.
    private func record(_ bound: WaitBound) -> ScriptedWait {
        let count = operationTable.preparedCount
        let wait = ScriptedWait(
            bound: bound,
            submissionCount: count,
            hadUnreadCompletions: hasUnreadCompletions,
            isEnter: count > 0 || bound != .poll && !hasUnreadCompletions,
            startNanoseconds: clockNanoseconds
        )
        waits.append(wait)
        if wait.isEnter { metrics.enters += 1 }
        metrics.submissions += UInt64(count)
        return wait
    }

    private func handOver() {
        for token in operationTable.handOver() {
            guard let operation = operationTable[token] else { continue }
            journal.append(.handedOver(token))
            checkMemory(of: operation)
            if case .cancel(let target) = operation.verb { answerCancel(token, target: target) }
            onHandOver?(operation, self)
        }
    }

    private func answerCancel(_ token: OperationToken, target: OperationToken) {
        let isInFlight = operationTable[target]?.isInFlight ?? false
        if isInFlight { operationTable.update(target) { $0.isCancelRequested = true } }
        guard answersCancels else { return }
        if isInFlight { fail(target, with: .cancelled) }
        complete(token, result: isInFlight ? 0 : -Errno.notFound.rawValue)
    }

    /// Lets the test supply a reason to return; without one, time passes, or the loop is told that
    /// it hangs.
    private func idle(_ bound: WaitBound) throws(IOError) {
        onIdle?(self)
        if scriptedWaker.take() {
            metrics.wakes += 1
            return
        }
        if hasUnreadCompletions { return }
        if isInterrupted {
            isInterrupted = false
            return
        }
        switch bound {
        case .poll: break
        case .deadline(let instant): clockNanoseconds = max(clockNanoseconds, instant)
        case .forever:
            throw IOError(
                .wait,
                errno: Errno(rawValue: EDEADLK),
                detail: "the loop would wait forever: no completion, wake or deadline can end it"
            )
        }
    }
}
