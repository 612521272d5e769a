/// Work for another shard.
extension Shard {
    /// Runs `body` on another shard's thread and brings its result back.
    ///
    /// An awake shard costs its caller no system call, a sleeping one costs one write, however many
    /// submit to it. Submits of one task arrive in order.
    ///
    /// > Thread: Any thread; the task goes on where its own executor is.
    ///
    /// - Parameters:
    ///   - target: the number of a shard, this one's included.
    ///   - body: runs on that shard between two waits; it must not block.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; `IOError` with `.invalidArgument` for a number that no shard has, with
    ///   `.closed` when that shard has ended: then `body` never ran.
    public func submit<Value: Sendable>(
        to target: Int,
        _ body: @escaping @Sendable (Shard) throws -> Value
    ) async throws -> Value {
        let shard = try runtime.shard(target)
        return try await unsafe withUnsafeThrowingContinuation { continuation in
            let isQueued = shard.loop.callSoonThreadsafe {
                // Safety: resumed exactly once, here or below.
                unsafe continuation.resume(with: Result { try body(shard) })
            }
            if !isQueued {
                unsafe continuation.resume(throwing: Runtime.ended(shard, .submit))
            }
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
