/// What one shard has counted, at one moment.
///
/// > Thread: Any thread.
public struct ShardSnapshot: Hashable, Sendable {
    /// The shard's number.
    public let shard: Int
    /// The CPU that it is bound to; nil when the scheduler places it.
    public let cpu: Int?
    /// What its loop stands on.
    public let backend: Backend
    /// The loop's counters.
    public let loop: LoopMetrics

    /// Takes one on the shard's thread, between two jobs; nil when the shard has ended.
    static func take(of shard: Shard) async -> ShardSnapshot? {
        await unsafe withHandedContinuation { continuation in
            let isQueued = shard.loop.callSoonThreadsafe {
                // Safety: resumed exactly once, here or below.
                unsafe continuation.resume(
                    returning: ShardSnapshot(
                        shard: shard.index,
                        cpu: shard.cpu,
                        backend: shard.loop.backend,
                        loop: shard.loop.metrics
                    )
                )
            }
            if !isQueued { unsafe continuation.resume(returning: nil) }
        }
    }
}
