/// The deadline of the innermost `withDeadline` around a task's code; children inherit it.
enum DeadlineScope {
    @TaskLocal static var current: Deadline?
}

/// Scopes that everything awaited in them has to end by.
extension Shard {
    /// Gives every wait inside `body` a deadline: one that is still under way then throws
    /// `.deadlineExceeded`, and so does each that begins after it.
    ///
    /// ```swift
    /// let answer = try await shard.withTimeout(.seconds(2)) {
    ///     let connection = try await shard.connect(to: endpoint)
    ///     try await connection.write(question)
    ///     return try await connection.read()?.copyToArray()
    /// }
    /// ```
    ///
    /// Scopes nest, and the nearest deadline wins. Child tasks of `body` have the same deadline, and so
    /// do those of `Task { }`, not those of `Task.detached`. It holds for every wait of this library
    /// (reads, writes, connects, sleeps, channels, files, processes, `runInExecutor`, `submit`, `serve`); what
    /// finds its result ready does not wait, and does not look at the time. A wait of somebody else's, such as
    /// `Task.sleep`, knows nothing of it.
    ///
    /// Nothing is cancelled: whoever catches the error goes on outside of the scope as if nothing had
    /// happened, and a read that it ended has lost nothing.
    ///
    /// > Thread: On its shard.
    ///
    /// - Parameters:
    ///   - deadline: on the clock of `Deadline.now`.
    ///   - body: runs in the calling task.
    /// - Returns: what `body` returns, however late.
    /// - Throws: what `body` throws; `.wrongShard`.
    public func withDeadline<Value>(
        _ deadline: Deadline,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try check(.wait)
        state.deadlineScopeCount += 1
        defer { loop.perform { [state] in state.deadlineScopeCount -= 1 } }
        let nearest = min(deadline, DeadlineScope.current ?? deadline)
        return try await DeadlineScope.$current.withValue(nearest) { try await body() }
    }

    /// As `withDeadline`, counted from now.
    ///
    /// - Parameters:
    ///   - timeout: a negative one counts as zero.
    ///   - body: runs in the calling task.
    /// - Returns: what `body` returns, however late.
    /// - Throws: what `body` throws; `.wrongShard`.
    public func withTimeout<Value>(
        _ timeout: Duration,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await withDeadline(.after(timeout), body)
    }

    /// The deadline that holds for the calling task's waits; nil outside of every `withDeadline`.
    ///
    /// > Thread: Any task.
    public static var currentDeadline: Deadline? { DeadlineScope.current }
}
