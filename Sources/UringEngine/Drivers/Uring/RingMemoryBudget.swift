internal import CUring

/// What the locked-memory limit leaves for rings (RLIMIT_MEMLOCK, getrlimit(2)).
///
/// New kernels charge ring memory to the *user*, so all shards share one limit, and other processes
/// of the same user take from it unseen. A thread with CAP_IPC_LOCK is exempt; a test as root never
/// meets the limit.
///
/// > Thread: Any thread.
package struct RingMemoryBudget: Hashable, Sendable {
    /// The soft limit in bytes, or nil when there is none or it does not bind.
    package let limitBytes: Int?
    /// How many rings share it.
    package let shardCount: Int
    /// The unit of memory, in bytes.
    package let pageBytes: Int

    /// Describes a budget.
    ///
    /// Precondition: at least one shard.
    package init(limitBytes: Int?, shardCount: Int, pageBytes: Int = 4096) {
        precondition(shardCount > 0, "at least one ring is made")
        self.limitBytes = limitBytes
        self.shardCount = shardCount
        self.pageBytes = pageBytes
    }

    /// The bytes that one ring may take, or nil for no limit.
    package var shareBytes: Int? { limitBytes.map { $0 / shardCount } }

    /// Reads the calling thread's limit.
    package static func current(shardCount: Int) -> RingMemoryBudget {
        RingMemoryBudget(
            limitBytes: cu_holds_ipc_lock() ? nil : softLimitBytes(),
            shardCount: shardCount,
            pageBytes: MemoryMap.pageBytes
        )
    }

    private static func softLimitBytes() -> Int? {
        let limit = cu_locked_memory_limit()
        return limit < 0 ? nil : Int(limit)
    }
}
