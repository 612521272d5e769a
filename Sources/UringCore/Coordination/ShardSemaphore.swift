/// A number of permits for tasks of one shard: no lock, no other thread.
///
/// ```swift
/// let limit = ShardSemaphore(permits: 8, on: shard)
/// try await limit.withPermits { try await query() }
/// ```
///
/// Who came first is served first: a task that asks for many permits is not overtaken by those that ask
/// for few.
///
/// > Thread: On its shard only; elsewhere every call throws `.wrongShard`. A reference may go anywhere.
public final class ShardSemaphore: @unchecked Sendable {
    // Sendable: every way in checks that it is on the loop's thread.
    // Safety: as above.
    /// The shard that it lives on.
    public let shard: Shard
    private var permits: Int
    private let queue: WaitQueue<Int>

    /// Makes a semaphore.
    ///
    /// - Parameters:
    ///   - permits: how many are there; a negative number counts as zero.
    ///   - shard: where its users are.
    public init(permits: Int, on shard: Shard) {
        self.permits = max(0, permits)
        self.shard = shard
        queue = WaitQueue(shard: shard)
    }

    /// How many permits are there now.
    ///
    /// - Throws: `.wrongShard`.
    public var available: Int {
        get throws(IOError) {
            try shard.check(.wait)
            return permits
        }
    }

    /// Takes permits, and waits until they are there.
    ///
    /// - Parameter count: how many; more than there will ever be waits for ever.
    /// - Throws: `.cancelled`, `.deadlineExceeded`: nothing was taken then; `.invalidArgument` for a
    ///   negative count, `.wrongShard`.
    public func acquire(_ count: Int = 1) async throws(IOError) {
        if try tryAcquire(count) { return }
        let node = WaitNode<Int>(loop: shard.loop, count)
        try await queue.wait(node, .wait) { [weak self] wasServed in
            // Who stood behind it may fit now.
            self?.giveBack(wasServed ? count : 0)
        }
    }

    /// Takes permits if they are there and nobody waits for them.
    ///
    /// - Returns: whether it took them.
    /// - Throws: `.invalidArgument` for a negative count, `.wrongShard`.
    public func tryAcquire(_ count: Int = 1) throws(IOError) -> Bool {
        try check(count)
        guard permits >= count, queue.isEmpty else { return false }
        permits -= count
        return true
    }

    /// Gives permits back, or adds some.
    ///
    /// - Throws: `.invalidArgument` for a negative count, and for more permits than `Int.max`, `.wrongShard`.
    public func release(_ count: Int = 1) throws(IOError) {
        try check(count)
        guard count <= Int.max - permits else {
            throw IOError(
                .wait,
                reason: .invalidArgument,
                detail: "\(count) permits beside \(permits); accepted: \(Int.max) in all"
            )
        }
        giveBack(count)
    }

    /// Takes permits during `body`.
    ///
    /// - Returns: what `body` returns.
    /// - Throws: as of `acquire`, and what `body` throws.
    public func withPermits<Value>(
        _ count: Int = 1,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await acquire(count)
        // The task may end elsewhere.
        defer { shard.loop.perform { self.giveBack(count) } }
        return try await body()
    }

    private func giveBack(_ count: Int) {
        // Beyond that some were given back by who had not taken them.
        permits = count <= Int.max - permits ? permits + count : Int.max
        while let first = queue.first, let wanted = first.payload, wanted <= permits {
            permits -= wanted
            queue.popFirst()?.waiter.resume()
        }
    }

    private func check(_ count: Int) throws(IOError) {
        try shard.check(.wait)
        guard count >= 0 else {
            throw IOError(
                .wait,
                reason: .invalidArgument,
                detail: "\(count) permits; accepted: 0 or more"
            )
        }
    }
}
