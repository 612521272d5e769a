/// Why a simulation failed, with all that it takes to see it again.
///
/// > Thread: Any thread.
public struct SimulationFailure: Error, Sendable, CustomStringConvertible {
    /// The seed that leads there.
    public let seed: UInt64
    /// What went wrong.
    public let reason: String
    /// The last things that happened, oldest first.
    public let trace: [String]
    /// A hash of everything that happened: the same in every run of this seed.
    public let traceHash: UInt64

    /// Seed, reason and trace, on a line each.
    public var description: String {
        let head = "seed \(seed): \(reason)"
        return ([head] + trace + ["\(head) (the last \(trace.count) events stand above)"])
            .joined(separator: "\n")
    }
}
