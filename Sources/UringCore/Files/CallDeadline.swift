internal import UringEngine

/// Asks for the end of a call on a file when the deadline of the calling task's scope passes.
///
/// > Thread: On-loop only, but for what says otherwise.
final class CallDeadline: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let call: FileCall
    private let loop: EventLoop
    private var timer: TimerID?
    private var hasPassed = false

    /// Begins to watch; nil outside of every scope with a deadline.
    ///
    /// > Thread: On-loop, by the task that waits for the call.
    init?(of call: FileCall, on loop: EventLoop) {
        guard let deadline = DeadlineScope.current else { return nil }
        self.call = call
        self.loop = loop
        timer = loop.addTimer(at: deadline.nanoseconds, .closure { [self] in pass() })
    }

    private func pass() {
        timer = nil
        hasPassed = true
        call.cancel()
    }

    /// The task has waited.
    ///
    /// > Thread: Any thread.
    func end() {
        loop.perform { [self] in
            if let timer { loop.cancelTimer(timer) }
            timer = nil
        }
    }

    /// What the task is told.
    func error(for failure: IOError) -> IOError {
        guard hasPassed, failure.reason == .cancelled else { return failure }
        return IOError(failure.operation, reason: .deadlineExceeded, detail: failure.detail)
    }
}
