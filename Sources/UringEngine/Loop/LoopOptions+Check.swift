/// What a loop can be made of: the one place that knows.
extension LoopOptions {
    /// A field with a value that no loop can be made with.
    ///
    /// > Thread: Any thread.
    package struct BadField: Hashable, Sendable, CustomStringConvertible {
        /// Its name, as it is written behind the options: `limits.jobsBudget`.
        package let name: String
        /// What it is set to.
        package let value: String
        /// What it may be set to.
        package let accepted: String

        /// The three in a sentence.
        package var description: String { "LoopOptions.\(name) is \(value); use \(accepted)" }
    }

    /// The first field that no loop can be made with; nil when one can.
    package var badField: BadField? {
        [
            Self.powerOfTwo("ringEntries", ringEntries, in: 1...32_768),
            Self.powerOfTwo("completionEntries", completionEntries, in: 1...65_536),
            fewCompletions,
            Self.whole("bufferBytes", bufferBytes, in: 64...16_777_216),
            Self.whole("bufferCount", bufferCount, in: 1...BufferPoolOptions.buffersMax),
            providedEntries.flatMap { Self.powerOfTwo("providedEntries", $0, in: 1...32_768) },
            Self.duration("quarantine", quarantine, in: .zero ... .seconds(3_600), "0 to 1 hour"),
            Self.duration(
                "submissionPollIdle",
                submissionPollIdle,
                in: .milliseconds(1) ... .seconds(3_600),
                "1 millisecond to 1 hour"
            ),
            // A spin of an hour is a test's; it is bounded like the others.
            Self.duration("spin", spin, in: .zero ... .seconds(3_600), "0 to 1 hour"),
            Self.whole("zeroCopyThreshold", zeroCopyThreshold, in: 0...1 << 30),
            Self.whole("loopCount", loopCount, in: 1...65_536),
            badFileBufferBytes,
            Self.whole("fileBufferCount", fileBufferCount, in: 0...32_768),
        ]
        .compactMap(\.self).first ?? limits.badField
    }

    /// Lets a loop be made, or not.
    ///
    /// - Throws: `.invalidArgument` that names the first bad field, its value, and what is accepted.
    func check() throws(IOError) {
        guard let badField else { return }
        throw IOError(.makeLoop, reason: .invalidArgument, detail: badField.description)
    }

    /// The kernel takes no completion queue that is smaller than the submission queue.
    private var fewCompletions: BadField? {
        guard completionEntries < ringEntries else { return nil }
        return BadField(
            name: "completionEntries",
            value: "\(completionEntries)",
            accepted: "at least ringEntries, which is \(ringEntries)"
        )
    }

    /// Direct transfers begin at a page at the latest.
    private var badFileBufferBytes: BadField? {
        let isWhole = fileBufferBytes % 4_096 == 0 && (4_096...16_777_216).contains(fileBufferBytes)
        guard !isWhole else { return nil }
        return BadField(
            name: "fileBufferBytes",
            value: "\(fileBufferBytes)",
            accepted: "a multiple of 4096 from 4096 to 16777216"
        )
    }

    // MARK: Kinds of fields

    fileprivate static func whole(
        _ name: String,
        _ value: Int,
        in range: ClosedRange<Int>
    ) -> BadField? {
        guard !range.contains(value) else { return nil }
        return BadField(
            name: name,
            value: "\(value)",
            accepted: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
    }

    private static func powerOfTwo(
        _ name: String,
        _ value: Int,
        in range: ClosedRange<Int>
    ) -> BadField? {
        guard !range.contains(value) || value & (value - 1) != 0 else { return nil }
        return BadField(
            name: name,
            value: "\(value)",
            accepted: "a power of two from \(range.lowerBound) to \(range.upperBound)"
        )
    }

    fileprivate static func duration(
        _ name: String,
        _ value: Duration,
        in range: ClosedRange<Duration>,
        _ accepted: String
    ) -> BadField? {
        guard !range.contains(value) else { return nil }
        return BadField(name: name, value: "\(value)", accepted: accepted)
    }
}

extension LoopLimits {
    /// A phase with a bound of zero never does anything: the loop would turn for ever.
    fileprivate var badField: LoopOptions.BadField? {
        let many = 1...1_000_000_000
        return [
            LoopOptions.whole("limits.timersPerTickMax", timersPerTickMax, in: many),
            LoopOptions.whole("limits.jobsPerTickMax", jobsPerTickMax, in: many),
            LoopOptions.duration(
                "limits.jobsBudget",
                jobsBudget,
                in: .microseconds(1) ... .seconds(3_600),
                "1 microsecond to 1 hour"
            ),
            LoopOptions.whole(
                "limits.completionsPerTickMax",
                completionsPerTickMax,
                in: 1...65_536
            ),
            LoopOptions.whole("limits.connectionsMax", connectionsMax, in: 0...4_000_000),
            LoopOptions.whole("limits.operationsPerFileMax", operationsPerFileMax, in: 1...65_536),
        ]
        .compactMap(\.self).first
    }
}
