/// Work that would block the shard.
extension Shard {
    /// The threads for blocking work that all shards of the run share.
    public var blockingPool: BlockingPool { runtime.blocking }

    /// Runs blocking work on another thread; the task goes on with the result on this shard.
    ///
    /// ```swift
    /// let hash = try await shard.runInExecutor { try hashOfLargeFile(path) }
    /// ```
    ///
    /// A task that is cancelled, or whose deadline passes, is told at once: work that has not begun
    /// never runs, and work under way runs to its end with nobody to take its result. The run's end
    /// waits for it, as long as `Configuration.cancellationGrace` at most.
    ///
    /// > Thread: On its shard; `work` on a thread of `blockingPool`.
    ///
    /// - Parameter work: blocks as long as it likes.
    /// - Returns: what `work` returns.
    /// - Throws: what `work` throws; `IOError` with `.busy` when too much work waits already, `.cancelled`,
    ///   `.deadlineExceeded`, `.closed`, `.wrongShard`, and EAGAIN when no thread can be had.
    public func runInExecutor<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try check(.runInExecutor)
        let awaited = AwaitedWork<Value>(shard: self)
        try awaited.begin(work)
        return try await awaited.finish()
    }
}

/// One awaited piece of blocking work.
///
/// > Thread: On-loop only, but for what says otherwise.
private final class AwaitedWork<Value: Sendable>: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let shard: Shard
    private let waiter: Waiter
    private var handle: BlockingHandle?
    private var result: Result<Value, any Error>?

    init(shard: Shard) {
        self.shard = shard
        waiter = Waiter(loop: shard.loop)
    }

    func begin(_ work: @escaping @Sendable () throws -> Value) throws(IOError) {
        handle = try shard.loop.runInExecutor(on: shard.blockingPool, work) { [self] in
            result = $0
            handle = nil
            waiter.resume()
        }
    }

    func finish() async throws -> Value {
        let outcome = await shard.park(waiter)
        do throws(IOError) {
            try shard.check(outcome, .runInExecutor)
        } catch {
            // Where the task went on elsewhere, `handle` is not its to look at.
            shard.loop.perform { [self] in handle?.cancel() }
            throw error
        }
        guard let result else { preconditionFailure("a wait that ended well has its result") }
        return try result.get()
    }
}
