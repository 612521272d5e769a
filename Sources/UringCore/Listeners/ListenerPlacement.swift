/// Which shards own the sockets of a listening address.
///
/// > Thread: Any thread.
public enum ListenerPlacement: Hashable, Sendable {
    /// One socket a shard (SO_REUSEPORT): the kernel spreads connections by a hash of their addresses,
    /// and shards even out what that leaves uneven (`BalancePolicy`).
    case perShard
    /// One socket: one shard accepts and hands connections to the least loaded.
    ///
    /// Unix-domain sockets are always placed so, since they have no SO_REUSEPORT.
    case distributed
}
