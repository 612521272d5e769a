/// Work for another shard.
extension Shard {
    /// Runs `body` on another shard's thread and brings its result back.
    ///
    /// An awake shard costs its caller no system call, a sleeping one costs one write, however many
    /// submit to it. Submits of one task arrive in order.
    ///
    /// A task that is cancelled, or whose deadline passes, is told at once: a `body` that has not begun
    /// never runs, and the result of one that has is dropped.
    ///
    /// > Thread: Any thread; the task goes on where its own executor is.
    ///
    /// - Parameters:
    ///   - target: the number of a shard, this one's included.
    ///   - body: runs on that shard between two waits; it must not block.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; `IOError` with `.cancelled`, `.deadlineExceeded`, `.invalidArgument` for
    ///   a number that no shard has, `.closed` when that shard has ended: then `body` never ran.
    public func submit<Value: Sendable>(
        to target: Int,
        _ body: @escaping @Sendable (Shard) throws -> Value
    ) async throws -> Value {
        let shard = try runtime.shard(target)
        let call = SubmittedCall<Value>()
        guard let deadline = DeadlineScope.current else {
            return try await submit(call, to: shard, body)
        }
        let timer = CallTimer(loop)
        timer.start(at: deadline) {
            call.end(.failure(IOError(.submit, reason: .deadlineExceeded)))
        }
        defer { timer.stop() }
        return try await submit(call, to: shard, body)
    }

    private func submit<Value: Sendable>(
        _ call: SubmittedCall<Value>,
        to shard: Shard,
        _ body: @escaping @Sendable (Shard) throws -> Value
    ) async throws -> Value {
        try await withTaskCancellationHandler {
            // Safety: the call resumes it exactly once.
            try await unsafe withHandedThrowingContinuation { continuation in
                unsafe call.suspend(continuation)
                let isQueued = shard.loop.callSoonThreadsafe {
                    if !call.isOver { call.end(Result { try body(shard) }) }
                }
                if !isQueued { call.end(.failure(Runtime.ended(shard, .submit))) }
            }
        } onCancel: {
            call.end(.failure(IOError(.submit, reason: .cancelled)))
        }
    }

    /// Runs `body` on another shard's thread and does not wait for it.
    ///
    /// > Thread: Any thread.
    ///
    /// - Throws: `.invalidArgument` for a number that no shard has, `.closed` when that shard has ended.
    public func post(
        to target: Int,
        _ body: @escaping @Sendable (Shard) throws -> Void
    ) throws(IOError) {
        let shard = try runtime.shard(target)
        guard shard.loop.callSoonThreadsafe({ try body(shard) }) else {
            throw Runtime.ended(shard, .post)
        }
    }
}

/// A timer of a loop, set and taken back from any thread.
///
/// > Thread: Any thread.
private final class CallTimer: @unchecked Sendable {
    // Safety: `handle` and `isOver` are the loop thread's alone.
    private let loop: EventLoop
    private var handle: TimerHandle?
    private var isOver = false

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func start(at deadline: Deadline, _ body: @escaping @Sendable () -> Void) {
        loop.perform { [self] in
            if !isOver { handle = loop.callAt(deadline, body) }
        }
    }

    func stop() {
        loop.perform { [self] in
            isOver = true
            handle?.cancel()
            handle = nil
        }
    }
}
