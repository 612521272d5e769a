package import UringCore

/// What a run of the load client does: how many connections, how much, how long.
///
/// > Thread: Any thread.
package struct LoadPlan: Hashable, Sendable {
    /// Connections at once, over all workers.
    package var connections = 1
    /// Bytes of one message.
    package var messageBytes = 64
    /// How long the measured window is.
    package var seconds = 1.0
    /// Messages a connection has in flight at most; nil for the default of the kind of load.
    package var pipeline: Int?
    /// Requests a second over all connections, begun by the clock (open loop); nil to begin one
    /// whenever one was answered (closed loop).
    package var rate: Int?

    /// What `connections` may be.
    package static let connectionsRange = 1...100_000
    /// What `messageBytes` may be.
    package static let messageBytesRange = 1...16 << 20
    /// What `pipeline` may be.
    package static let pipelineRange = 1...1_024
    /// What `rate` may be.
    package static let rateRange = 1...1_000_000
    /// The longest window.
    package static let secondsMax = 3_600.0
    /// Requests of a closed loop in flight at once: each keeps its beginning in memory.
    package static let inFlightMax = 1 << 24

    /// The defaults.
    package init() {}

    /// Messages a connection has in flight at most.
    ///
    /// A closed loop waits for each answer unless told otherwise. An open loop waits for none: its
    /// bound is there for a server that has stopped to answer.
    package var pipelineDepth: Int {
        pipeline ?? (rate == nil ? 1 : Self.pipelineRange.upperBound)
    }

    /// The window in nanoseconds.
    var windowNanoseconds: UInt64 { max(1, UInt64(seconds * 1e9)) }

    /// Checks every bound.
    ///
    /// - Throws: `ConfigurationError` that names the argument, its value, and what is accepted.
    package func check() throws(ConfigurationError) {
        try Self.check("--connections", connections, Self.connectionsRange)
        try Self.check("--bytes", messageBytes, Self.messageBytesRange)
        // A NaN is greater than nothing.
        guard seconds > 0, seconds <= Self.secondsMax else {
            throw ConfigurationError(
                variable: "--seconds",
                value: "\(seconds)",
                accepted: "a number above 0, at most \(Int(Self.secondsMax))"
            )
        }
        if let pipeline { try Self.check("--pipeline", pipeline, Self.pipelineRange) }
        if let rate { try Self.check("--rate", rate, Self.rateRange) }
        guard rate != nil || connections * pipelineDepth <= Self.inFlightMax else {
            throw ConfigurationError(
                variable: "--pipeline",
                value: "\(pipelineDepth)",
                accepted:
                    "at most \(Self.inFlightMax / connections) with \(connections) connections"
            )
        }
    }

    private static func check(
        _ name: String,
        _ value: Int,
        _ range: ClosedRange<Int>
    ) throws(ConfigurationError) {
        guard !range.contains(value) else { return }
        throw ConfigurationError(
            variable: name,
            value: "\(value)",
            accepted: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
    }
}
