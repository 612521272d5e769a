/// Counts what is under way on one shard, so that an end can wait for it.
///
/// Whoever begins something enters and leaves; `close` lets nobody in any more, and waits until all
/// have left.
///
/// > Thread: On its shard only; elsewhere every call throws `.wrongShard`. A reference may go anywhere.
public final class ShardGate: @unchecked Sendable {
    // Sendable: every way in checks that it is on the loop's thread.
    // Safety: as above.
    /// The shard that it lives on.
    public let shard: Shard
    private var count = 0
    /// Those of them that entered by `enter`: nobody else's place is given up by `leave`.
    private var enteredCount = 0
    private var hasClosed = false
    private let closers: WaitQueue<Void>

    /// Makes an open gate.
    public init(on shard: Shard) {
        self.shard = shard
        closers = WaitQueue(shard: shard)
    }

    /// How many have entered and not left.
    ///
    /// - Throws: `.wrongShard`.
    public var insideCount: Int {
        get throws(IOError) {
            try shard.check(.wait)
            return count
        }
    }

    /// `close` was called.
    ///
    /// - Throws: `.wrongShard`.
    public var isClosed: Bool {
        get throws(IOError) {
            try shard.check(.wait)
            return hasClosed
        }
    }

    /// Enters; `leave` must follow.
    ///
    /// - Throws: `.closed` after `close`, `.wrongShard`.
    public func enter() throws(IOError) {
        try begin()
        enteredCount += 1
    }

    private func begin() throws(IOError) {
        try shard.check(.wait)
        guard !hasClosed else {
            throw IOError(.wait, reason: .closed, detail: "the gate was closed")
        }
        count += 1
    }

    /// Leaves.
    ///
    /// - Throws: `.invalidArgument` when nobody is inside who entered by `enter`, `.wrongShard`.
    public func leave() throws(IOError) {
        try shard.check(.wait)
        guard enteredCount > 0 else {
            throw IOError(.wait, reason: .invalidArgument, detail: "nobody is inside the gate")
        }
        enteredCount -= 1
        left()
    }

    /// Is inside during `body`.
    ///
    /// - Returns: what `body` returns.
    /// - Throws: `.closed`, `.wrongShard`, and what `body` throws.
    public func withEntry<Value>(_ body: () async throws -> Value) async throws -> Value {
        try begin()
        // The task may end elsewhere.
        defer { shard.loop.perform { self.left() } }
        return try await body()
    }

    /// Lets nobody in any more, and waits until all have left; again and by several tasks, if they like.
    ///
    /// - Throws: `.cancelled`, `.deadlineExceeded`: the gate stays closed; `.wrongShard`.
    public func close() async throws(IOError) {
        try shard.check(.close)
        hasClosed = true
        guard count > 0 else { return }
        try await closers.wait(WaitNode(loop: shard.loop, nil), .close) { _ in }
    }

    private func left() {
        count -= 1
        guard hasClosed, count == 0 else { return }
        while let closer = closers.popFirst() { closer.waiter.resume() }
    }
}
