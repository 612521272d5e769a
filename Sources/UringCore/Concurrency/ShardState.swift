/// What a shard knows that changes.
///
/// > Thread: On-loop only.
final class ShardState: @unchecked Sendable {
    // Safety: the shard that holds it is Sendable; whoever touches it is on the loop's thread.
    private let loop: EventLoop
    /// The server drains.
    private(set) var isDraining = false
    /// The handlers have ended: what is left open is closed.
    var hasEnded = false
    /// A handler has begun to serve on this shard.
    var hasServed = false
    /// Those that wait for the drain.
    var drainWaiters: [ObjectIdentifier: Waiter] = [:]
    /// What accepts here, to be told of the drain.
    var sessions: [ObjectIdentifier: ServeSession] = [:]

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Ends accepting and idle connections, and tells who waits for it.
    func beginDrain() {
        guard !isDraining else { return }
        isDraining = true
        for session in sessions.values { session.end(.drained) }
        loop.drain()
        for waiter in drainWaiters.values { waiter.resume() }
    }
}

extension Shard {
    /// For code that is on the shard and knows it.
    var isDrainingHere: Bool { state.isDraining }
}
