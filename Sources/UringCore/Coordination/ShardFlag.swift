/// A flag that tasks of one shard wait for: no lock, no other thread.
///
/// > Thread: On its shard only; elsewhere every call throws `.wrongShard`. A reference may go anywhere.
public final class ShardFlag: @unchecked Sendable {
    // Sendable: every way in checks that it is on the loop's thread.
    // Safety: as above.
    /// The shard that it lives on.
    public let shard: Shard
    private var isUp = false
    private let queue: WaitQueue<Void>

    /// Makes a flag that is not set.
    public init(on shard: Shard) {
        self.shard = shard
        queue = WaitQueue(shard: shard)
    }

    /// It was set, and not reset since.
    ///
    /// - Throws: `.wrongShard`.
    public var isSet: Bool {
        get throws(IOError) {
            try shard.check(.wait)
            return isUp
        }
    }

    /// Sets it: all who wait go on, in the order in which they came, and nobody waits until `reset`.
    ///
    /// - Throws: `.wrongShard`.
    public func set() throws(IOError) {
        try shard.check(.wait)
        isUp = true
        while let node = queue.popFirst() { node.waiter.resume() }
    }

    /// Takes it back.
    ///
    /// - Throws: `.wrongShard`.
    public func reset() throws(IOError) {
        try shard.check(.wait)
        isUp = false
    }

    /// Waits until it is set; returns at once when it is.
    ///
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.wrongShard`.
    public func wait() async throws(IOError) {
        try shard.check(.wait)
        guard !isUp else { return }
        try await queue.wait(WaitNode(loop: shard.loop, nil), .wait) { _ in }
    }
}
