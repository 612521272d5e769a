/// Signals as they come, in async code.
///
/// Signals that come before they are asked for wait, one of each number.
///
/// > Thread: On its shard only. One task at a time asks.
public struct SignalSequence: AsyncSequence, Sendable {
    /// A signal's number.
    public typealias Element = Int32
    let core: SignalCore

    /// Asks for one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let core: SignalCore

        /// Waits for the next signal; nil when the shard or the scope of `withSignals` has ended.
        ///
        /// - Throws: `IOError`: `.cancelled`, `.busy` when another task asks, `.wrongShard`.
        public mutating func next() async throws -> Int32? {
            try await core.next()
        }
    }

    /// Begins to ask.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(core: core) }
}

extension Shard {
    /// Watches signals while `body` runs; afterwards they have their previous actions again, unless
    /// somebody else watches them too.
    ///
    /// ```swift
    /// try await shard.withSignals(SIGHUP) { signals in
    ///     for try await _ in signals { reload() }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - signals: their numbers.
    ///   - body: uses the signals.
    /// - Returns: what `body` returns.
    /// - Throws: as `EventLoop.addSignalHandler`; `.wrongShard`; what `body` throws.
    public func withSignals<Value>(
        _ signals: Int32...,
        body: (SignalSequence) async throws -> Value
    ) async throws -> Value {
        try check(.watchSignal)
        let core = SignalCore(self)
        do {
            try core.watch(signals)
            let value = try await body(SignalSequence(core: core))
            core.end()
            return value
        } catch {
            core.end()
            throw error
        }
    }
}

/// What stands between the watches and the task that asks.
///
/// > Thread: On-loop only, but for what says otherwise.
final class SignalCore: @unchecked Sendable {
    // Safety: every way in checks that it is on the loop's thread, or posts.
    private let shard: Shard
    private let waiter: Waiter
    private var watches: [SignalWatch] = []
    private var pending: [Int32] = []
    private var isOver = false

    init(_ shard: Shard) {
        self.shard = shard
        waiter = Waiter(loop: shard.loop)
    }

    func watch(_ signals: [Int32]) throws(IOError) {
        for signal in signals {
            watches.append(
                try SignalWatch(
                    signal,
                    on: shard.loop,
                    { [self] in came(signal) },
                    ended: { [self] in
                        isOver = true
                        waiter.resume()
                    }
                )
            )
        }
    }

    private func came(_ signal: Int32) {
        if !pending.contains(signal) { pending.append(signal) }
        waiter.resume()
    }

    /// > Thread: Any thread: a task whose shard has ended goes on elsewhere.
    func end() {
        shard.loop.perform { [self] in
            for watch in watches { watch.cancel() }
            watches = []
            isOver = true
            waiter.resume()
        }
    }

    func next() async throws(IOError) -> Int32? {
        try shard.check(.watchSignal)
        // Or one that was resumed and has not run yet would find nothing, and take it for the end.
        guard !waiter.isBusy else {
            throw IOError(
                .watchSignal,
                reason: .busy,
                detail: "another task waits for the same"
            )
        }
        if pending.isEmpty, !isOver {
            await waiter.wait(timeout: nil, isCancelledElsewhere: false)
            let outcome = waiter.finish()
            if outcome == .ended { return nil }
            try shard.check(outcome, .watchSignal)
        }
        return pending.isEmpty ? nil : pending.removeFirst()
    }
}
