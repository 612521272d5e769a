/// Which shard gets a connection that the kernel gave to one of them.
///
/// > Thread: Any thread.
public enum BalancePolicy: String, Hashable, Sendable, CaseIterable {
    /// The less loaded of two: the one that accepted, and another at random ("power of two
    /// choices").
    case p2c
    /// The one that accepted.
    case off
    /// The one on the CPU that received its packets.
    case rx
}
