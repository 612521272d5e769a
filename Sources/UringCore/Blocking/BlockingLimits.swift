/// How much blocking work a pool takes on.
///
/// > Thread: Any thread.
public struct BlockingLimits: Hashable, Sendable {
    /// Threads at once, 1 to 1,024; they are started when work comes and none is idle.
    ///
    /// At the limit work waits in the queue.
    public var threadsMax = 16
    /// Pieces of work that wait for a thread, 0 to 1,000,000; one more is refused with `.busy`.
    public var queuedMax = 1_024
    /// How long a thread waits for work before it ends.
    public var idleTimeout = Duration.seconds(10)

    /// The defaults.
    public init() {}

    /// Checks that a pool can be made with these.
    ///
    /// - Throws: `ConfigurationError` that names the field, the value and what is accepted.
    func check() throws(ConfigurationError) {
        try Self.check("threadsMax", threadsMax, in: 1...1_024)
        try Self.check("queuedMax", queuedMax, in: 0...1_000_000)
    }

    private static func check(
        _ name: String,
        _ value: Int,
        in accepted: ClosedRange<Int>
    ) throws(ConfigurationError) {
        guard !accepted.contains(value) else { return }
        throw ConfigurationError(
            variable: "BlockingLimits.\(name)",
            value: String(value),
            accepted: "\(accepted.lowerBound) to \(accepted.upperBound)"
        )
    }
}
