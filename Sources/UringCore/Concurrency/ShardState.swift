/// What a shard knows that changes.
///
/// > Thread: On-loop only.
final class ShardState: @unchecked Sendable {
    // Safety: the shard that holds it is Sendable; whoever touches it is on the loop's thread, or comes
    // after its end.
    private let loop: EventLoop
    /// The server drains.
    private(set) var isDraining = false
    /// When the drain's limit passes, on the loop's clock.
    private(set) var drainLimit: UInt64 = 0
    /// The loop is about to end, or has ended.
    private(set) var isOver = false
    /// How many scopes with a deadline are open in tasks of this shard: while there is none, a wait on
    /// the echo path need not ask for its own.
    // Safety: the loop's thread's alone.
    @safe @exclusivity(unchecked) var deadlineScopeCount = 0
    /// The handlers have ended: what they left has nobody any more.
    private(set) var areHandlersOver = false
    /// Processes that have not ended.
    var processes = Registrations<ProcessCore>()
    /// A handler has begun to serve on this shard.
    var hasServed = false
    /// Those that wait for the drain.
    var drainWaiters = Registrations<Waiter>()
    /// Those that wait for what no descriptor of the loop's brings about.
    var parked = Registrations<Waiter>()
    /// What accepts here, to be told of the drain.
    var sessions = Registrations<ServeSession>()

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Ends accepting and idle connections, and tells who waits for it.
    func beginDrain(timeout: Duration) {
        guard !isDraining else { return }
        isDraining = true
        drainLimit = Deadline.after(timeout, from: loop.now).nanoseconds
        for session in sessions.inOrder { session.end(.drained) }
        loop.drain()
        for waiter in drainWaiters.inOrder { waiter.resume() }
    }

    /// Ends what would keep the loop from its end although nobody is served by it any more.
    func endLeftovers() {
        areHandlersOver = true
        for process in processes.inOrder { process.kill() }
        loop.endWatches()
    }

    /// Ends every wait that no descriptor of the loop's would end: the loop fires no timer any more.
    func end() {
        isOver = true
        isDraining = true
        for session in sessions.inOrder { session.end(.closed) }
        for waiter in drainWaiters.inOrder { waiter.resume() }
        for waiter in parked.inOrder { waiter.resume(.ended) }
    }
}

extension Shard {
    /// For code that is on the shard and knows it.
    var isDrainingHere: Bool { state.isDraining }

    /// Begins the drain, once.
    ///
    /// > Thread: On its shard.
    func beginDrain() {
        state.beginDrain(timeout: runtime.configuration.drainTimeout)
    }

    /// Until when what was written may still be sent: the drain's limit, or a last grace when handlers
    /// had to be cancelled at it.
    var endOfDrain: Deadline {
        let now = loop.now
        if state.drainLimit > now { return Deadline(nanoseconds: state.drainLimit) }
        return Deadline.after(runtime.configuration.cancellationGrace, from: now)
    }
}
