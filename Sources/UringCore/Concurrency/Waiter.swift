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
    }

    private let loop: EventLoop
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @safe @exclusivity(unchecked) private var outcome = Outcome.ready
    /// A task waits, or was resumed and has not run yet.
    @safe @exclusivity(unchecked) private(set) var isBusy = false
    @safe @exclusivity(unchecked) private var timer: TimerID?
    /// Tells a late cancellation from one of the wait at hand.
    private var number: UInt64 = 0

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// A task waits.
    var isWaiting: Bool { unsafe continuation != nil }

    /// Waits for `resume`; `finish` must follow, and tells how it ended.
    ///
    /// - Parameters:
    ///   - timeout: how long at most.
    ///   - isCancelledElsewhere: somebody else already watches this task for cancellation and will call
    ///     `resume(.cancelled)`; that saves registering a handler for each wait.
    func wait(timeout: Duration?, isCancelledElsewhere: Bool) async {
        if let timeout { setTimer(timeout) }
        if isCancelledElsewhere {
            await suspend()
        } else {
            await suspendWatchingForCancellation(number &+ 1)
        }
    }

    /// A task suspends here.
    ///
    /// Safety: the continuation is resumed exactly once, by whoever takes it out.
    @inline(__always)
    func begin(_ continuation: UnsafeContinuation<Void, Never>) {
        precondition(!isBusy, "one task waits at a time")
        isBusy = true
        number &+= 1
        unsafe self.continuation = continuation
    }

    /// The task goes on.
    @inline(__always)
    func finish() -> Outcome {
        isBusy = false
        return outcome
    }

    /// Ends the wait, if there is one.
    @inline(__always)
    func resume(_ outcome: Outcome = .ready) {
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        self.outcome = outcome
        if timer != nil { clearTimer() }
        unsafe waiting.resume()
    }

    private func suspend() async {
        await unsafe withUnsafeContinuation { unsafe begin($0) }
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

    private func setTimer(_ timeout: Duration) {
        let deadline = Deadline.after(timeout, from: loop.now)
        timer = loop.addTimer(
            at: deadline.nanoseconds,
            .closure { [self] in
                timer = nil
                resume(.deadlineExceeded)
            }
        )
    }

    private func clearTimer() {
        guard let timer else { return }
        self.timer = nil
        loop.cancelTimer(timer)
    }
}
