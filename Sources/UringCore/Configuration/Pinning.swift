/// Whether each shard's thread is bound to one CPU.
///
/// > Thread: Any thread.
public enum Pinning: String, Hashable, Sendable, CaseIterable {
    /// Unless the CPU quota is a fraction, or shards outnumber CPUs.
    case auto
    /// Always; then there may not be more shards than CPUs.
    case on
    /// Never: the scheduler places the threads, among the CPUs of `Configuration.cores` when those
    /// are a list.
    case off
}
