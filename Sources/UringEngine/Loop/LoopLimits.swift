/// The bounds of one tick and of one loop.
///
/// Each says what happens when it is reached.
///
/// > Thread: Any thread.
public struct LoopLimits: Hashable, Sendable {
    /// Timers fired in one tick; the rest fire in the next.
    public var timersPerTickMax = 1_024
    /// Ready jobs run in one tick; the rest run in the next.
    public var jobsPerTickMax = 4_096
    /// Time for ready jobs in one tick; the rest run in the next.
    ///
    /// Read every 64 jobs.
    public var jobsBudget = Duration.microseconds(500)
    /// Completions dispatched in one tick; the rest stay in the kernel's queue, without an enter
    /// between.
    public var completionsPerTickMax = StandardSizes.completionsPerTickMax
    /// Connections at once; at the limit the listeners stop accepting, and go on when one ends.
    ///
    /// Each further listener of the loop may bring one more: the accept that it had in flight.
    ///
    /// Zero: no limit.
    public var connectionsMax = 0
    /// Operations in flight on one file; what is asked beyond waits its turn.
    public var operationsPerFileMax = 64

    /// The defaults.
    public init() {}
}
