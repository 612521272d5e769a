/// How new connections are evened out over the shards.
///
/// > Thread: Any thread.
public enum BalancePolicy: String, Hashable, Sendable, CaseIterable {
    /// A shard that accepts hands the connection to one with at least two fewer.
    case p2c
    /// Whoever accepts keeps it.
    case off
    /// The shard on the CPU that received the packet gets it.
    case rx
}
