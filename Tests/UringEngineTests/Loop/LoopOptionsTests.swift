import Testing
import UringTesting

@testable import UringEngine

@Suite("LoopOptions") struct LoopOptionsTests {
    /// A field's name, a value that is not accepted, and what sets it.
    private typealias Bad = (String, String, @Sendable (inout LoopOptions) -> Void)

    private static func whole(
        _ name: String,
        _ path: any WritableKeyPath<LoopOptions, Int> & Sendable,
        _ values: [Int]
    ) -> [Bad] {
        values.map { value in (name, "\(value)", { $0[keyPath: path] = value }) }
    }

    private static func durations(
        _ name: String,
        _ path: any WritableKeyPath<LoopOptions, Duration> & Sendable,
        _ values: [Duration]
    ) -> [Bad] {
        values.map { value in (name, "\(value)", { $0[keyPath: path] = value }) }
    }

    private static let far = [Int.min, -1, .max]

    private static let badFiles =
        whole("fileBufferBytes", \.fileBufferBytes, far + [0, 512, 4_097, 16_781_312])
        + whole("fileBufferCount", \.fileBufferCount, far + [32_769])
        + whole(
            "limits.operationsPerFileMax",
            \.limits.operationsPerFileMax,
            far + [0, 65_537]
        )

    private static let bad =
        badFiles
        + whole("ringEntries", \.ringEntries, far + [0, 3, 255, 65_536])
        + whole("completionEntries", \.completionEntries, far + [0, 3, 128, 4_095, 131_072])
        + whole("bufferBytes", \.bufferBytes, far + [0, 10, 63, 16_777_217])
        + whole("bufferCount", \.bufferCount, far + [0, 32_769])
        + whole("loopCount", \.loopCount, far + [0, 65_537])
        + whole("zeroCopyThreshold", \.zeroCopyThreshold, far + [(1 << 30) + 1])
        + whole("limits.timersPerTickMax", \.limits.timersPerTickMax, far + [0])
        + whole("limits.jobsPerTickMax", \.limits.jobsPerTickMax, far + [0])
        + whole("limits.completionsPerTickMax", \.limits.completionsPerTickMax, far + [0, 65_537])
        + whole("limits.connectionsMax", \.limits.connectionsMax, far + [4_000_001])
        + durations("quarantine", \.quarantine, [.nanoseconds(-1), .seconds(3_601), longest])
        + durations("spin", \.spin, [.nanoseconds(-1), .seconds(3_601), longest])
        + durations(
            "submissionPollIdle",
            \.submissionPollIdle,
            [.seconds(-1), .zero, .microseconds(999), .seconds(3_601), longest]
        )
        + durations(
            "limits.jobsBudget",
            \.limits.jobsBudget,
            [.seconds(-1), .zero, .nanoseconds(999), .seconds(3_601), longest]
        )
        + [0, 3, -1, 65_536].map { (value: Int) -> Bad in
            ("providedEntries", "\(value)", { $0.providedEntries = value })
        }

    private static let longest = Duration(secondsComponent: .max, attosecondsComponent: 0)

    @Test(.ordinarySizes) func nameTheFieldTheValueAndWhatIsAccepted() throws {
        for (name, value, set) in Self.bad {
            var options = LoopOptions()
            set(&options)
            let error = #expect(throws: IOError.self) { try EventLoop(options) }
            #expect(error?.reason == .invalidArgument, "\(name) = \(value)")
            let start = "make loop failed: invalid argument: LoopOptions.\(name) is \(value); use "
            #expect(error?.description.hasPrefix(start) == true, "\(name) = \(value)")
        }
    }

    @Test(.ordinarySizes) func areCheckedOnEveryDriver() throws {
        for (name, _, set) in Self.bad {
            var options = LoopOptions()
            set(&options)
            let error = #expect(throws: IOError.self) {
                try EventLoop(driver: .custom(ScriptedDriver()), options: options)
            }
            #expect(error?.detail?.contains(name) == true)
        }
    }

    @Test func sayWhichNumbersAreAccepted() throws {
        var options = LoopOptions()
        options.bufferCount = 0
        #expect(
            options.badField?.description
                == "LoopOptions.bufferCount is 0; use a whole number from 1 to 32768"
        )
        options.ringEntries = 3
        #expect(
            options.badField?.description
                == "LoopOptions.ringEntries is 3; use a power of two from 1 to 32768"
        )
    }

    /// A loop of the smallest of everything turns, and one of the largest counts is not refused.
    @Test func makeALoopAtTheirLimits() throws {
        var options = LoopOptions()
        options.ringEntries = 1
        options.completionEntries = 1
        options.bufferBytes = 64
        options.bufferCount = 1
        options.memoryLock = .off
        options.submissionPollIdle = .milliseconds(1)
        options.limits.timersPerTickMax = 1
        options.limits.jobsPerTickMax = 1
        options.limits.jobsBudget = .microseconds(1)
        options.limits.completionsPerTickMax = 1
        let loop = try EventLoop(options)
        var calls = 0
        for _ in 0..<3 {
            loop.callSoon { calls += 1 }
            loop.callLater(.zero) { calls += 1 }
        }
        for _ in 0..<6 where calls < 6 { try loop.runOnce() }
        #expect(calls == 6)
        #expect(loop.shutDown() == 0)

        options.ringEntries = 32_768
        options.completionEntries = 65_536
        options.bufferBytes = 16_777_216
        options.bufferCount = 32_768
        options.quarantine = .seconds(3_600)
        options.spin = .seconds(3_600)
        options.submissionPollIdle = .seconds(3_600)
        options.loopCount = 65_536
        options.limits.timersPerTickMax = 1_000_000_000
        options.limits.jobsPerTickMax = 1_000_000_000
        options.limits.jobsBudget = .seconds(3_600)
        options.limits.completionsPerTickMax = 65_536
        options.limits.connectionsMax = 4_000_000
        options.limits.operationsPerFileMax = 65_536
        options.fileBufferBytes = 16_777_216
        options.fileBufferCount = 32_768
        #expect(options.badField == nil)
    }

    /// Whoever adds a field decides here whether it can be set to something bad.
    @Test func areAllCheckedWhereTheyCanBeWrong() throws {
        let free: Set = [
            "backend", "memoryLock", "isSubmissionPolled", "featuresOff", "limits", "log",
            "offload", "usesFixedBuffers", "registersFiles", "linksConnectTimeouts",
        ]
        let options = Mirror(reflecting: LoopOptions()).children.compactMap(\.label)
        let limits = Mirror(reflecting: LoopLimits()).children.compactMap(\.label)
        let fields = options + limits.map { "limits." + $0 }
        #expect(Set(fields) == Set(Self.bad.map(\.0)).union(free))
    }
}
