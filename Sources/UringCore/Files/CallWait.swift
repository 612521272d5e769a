internal import UringEngine

/// A task's wait for one call on a file.
///
/// It ends with the call, a cancelled one too: what a cancelled write has done is known then, and the
/// kernel is done with its memory.
///
/// > Thread: On-loop only, but for what says otherwise.
@safe final class CallWait<Call: FileCall>: @unchecked Sendable {
    // Sendable: a cancellation holds a reference and posts; all else happens on the loop's thread.
    // Safety: the continuation is resumed exactly once, by whoever takes it out, or at once.

    let call: Call
    private let loop: EventLoop
    private var continuation: UnsafeContinuation<Void, Never>?
    private var deadline: CallDeadline?

    /// Stands behind a call that is begun next.
    init(_ call: Call, on loop: EventLoop) {
        self.call = call
        self.loop = loop
        call.onEnd = { [self] in resume() }
    }

    /// Waits for the end.
    func wait() async {
        guard !call.isOver else { return }
        deadline = CallDeadline(of: call, on: loop)
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { unsafe suspend($0) }
        } onCancel: {
            loop.callSoonThreadsafe { self.call.cancel() }
        }
        deadline?.end()
    }

    /// Why the call failed, for the task that has waited.
    var failure: IOError? {
        guard let failure = call.failure else { return nil }
        return deadline?.error(for: failure) ?? failure
    }

    /// > Thread: Any thread: an actor's task may be elsewhere for this moment.
    private func suspend(_ continuation: UnsafeContinuation<Void, Never>) {
        guard loop.isRunningHere else {
            let isQueued = loop.callBeforeEnd { unsafe self.suspend(continuation) }
            if !isQueued { unsafe continuation.resume() }
            return
        }
        if call.isOver {
            unsafe continuation.resume()
        } else {
            unsafe self.continuation = continuation
        }
    }

    private func resume() {
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume()
    }
}

extension Shard {
    /// Waits for a call that was begun, and throws what came of it.
    func finish<Call: FileCall>(_ wait: CallWait<Call>) async throws(IOError) -> Call {
        await wait.wait()
        try checkStill(wait.call.operation)
        if let failure = wait.failure { throw failure }
        return wait.call
    }

    /// The task is on its shard after a wait as it was before.
    private func checkStill(_ operation: IOError.Operation) throws(IOError) {
        guard isCurrent else {
            try check(.elsewhere, operation)
            return
        }
    }
}
