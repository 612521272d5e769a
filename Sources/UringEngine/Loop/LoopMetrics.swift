/// What one loop has counted since it began.
///
/// > Thread: Read on-loop; a copy may go anywhere.
public struct LoopMetrics: Hashable, Sendable {
    /// Turns of the loop.
    public internal(set) var ticks: UInt64 = 0
    /// System calls that submitted or waited.
    public internal(set) var enters: UInt64 = 0
    /// Completions dispatched.
    public internal(set) var completions: UInt64 = 0
    /// Completions that named no operation in flight.
    public internal(set) var staleCompletions: UInt64 = 0
    /// Times that the completion queue was found overflown.
    public internal(set) var overflows: UInt64 = 0
    /// Connections accepted or made.
    public internal(set) var connections: UInt64 = 0
    /// Connections open now.
    public internal(set) var openConnections = 0
    /// Descriptors in the loop's table, listeners included.
    public internal(set) var descriptors = 0
    /// Operations in flight.
    public internal(set) var operationsInFlight = 0
    /// Receives that ended because no buffer was there.
    public internal(set) var starvations: UInt64 = 0
    /// Pool buffers held by the engine or by users.
    public internal(set) var buffersLent = 0
    /// Receives whose bytes were copied out: the pool was mostly lent, or they were parked in a buffer
    /// that they filled less than half.
    public internal(set) var copiedReceives: UInt64 = 0
    /// Jobs and steps of tasks that other threads queued.
    public internal(set) var posts: UInt64 = 0
    /// Posts that found the loop parked and woke it.
    public internal(set) var wakes: UInt64 = 0
    /// Accepts that failed for want of descriptors or memory.
    public internal(set) var acceptBackoffs: UInt64 = 0

    /// Starts at zero.
    public init() {}
}
