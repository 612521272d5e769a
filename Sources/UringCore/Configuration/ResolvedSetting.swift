/// One setting in force.
///
/// > Thread: Any thread.
public struct ResolvedSetting: Hashable, Sendable, CustomStringConvertible {
    /// The environment variable.
    public let variable: String
    /// What it would be set to for this; `URINGCORE_CORES=auto` and the like.
    public let value: String
    /// The environment says so; otherwise the program or the default does.
    public let isSet: Bool

    /// The way it is written in the environment.
    public var description: String { "\(variable)=\(value)" }
}

extension Configuration {
    /// The settings in force.
    ///
    /// Read back as an environment they come to the same configuration.
    public var settings: [ResolvedSetting] {
        Setting.allCases.map {
            ResolvedSetting(variable: $0.rawValue, value: value(of: $0), isSet: isSet($0))
        }
    }

    /// The settings in force, one phrase each.
    public var resolvedSettings: [String] { settings.map(\.description) }

    private func value(of setting: Setting) -> String {
        switch setting {
        case .cores: "\(cores)"
        case .coreCount: coreCount.map { "\($0)" } ?? "auto"
        case .pinning: pinning.rawValue
        case .backend: loop.backend.rawValue
        case .ringEntries: "\(loop.ringEntries)"
        case .completionEntries: "\(loop.completionEntries)"
        case .bufferSize: "\(loop.bufferBytes)"
        case .bufferCount: "\(loop.bufferCount)"
        case .memoryLock: loop.memoryLock.rawValue
        case .quarantine: Self.count(of: loop.quarantine, in: .milliseconds(1))
        case .submissionPoll: loop.isSubmissionPolled ? "1" : "0"
        case .submissionPollIdle: Self.count(of: loop.submissionPollIdle, in: .milliseconds(1))
        case .spin: Self.count(of: loop.spin, in: .microseconds(1))
        case .zeroCopyThreshold: "\(loop.zeroCopyThreshold)"
        case .inFlightPerDescriptor: "\(loop.limits.operationsPerFileMax)"
        case .connectionsMax: "\(loop.limits.connectionsMax)"
        case .backlog: "\(backlog)"
        case .balance: balance.rawValue
        case .jobBudget: Self.count(of: loop.limits.jobsBudget, in: .microseconds(1))
        case .stall: Self.count(of: stallLimit, in: .milliseconds(1))
        case .drain: Self.count(of: drainTimeout, in: .milliseconds(1))
        case .featuresOff: loop.featuresOff.map(\.rawValue).sorted().joined(separator: ",")
        }
    }

    /// A number of units; with decimals only when a program set it so.
    private static func count(of duration: Duration, in unit: Duration) -> String {
        let count = duration / unit
        let whole = Int64(exactly: count)
        return whole.map { "\($0)" } ?? "\(count)"
    }
}
