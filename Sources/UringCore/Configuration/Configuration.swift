internal import CNUMA
internal import CUring
internal import Glibc

/// What a program sets of the runtime, from `URINGCORE_*` variables or by hand.
///
/// > Thread: Any thread.
public struct Configuration: Sendable {
    /// Which CPUs are used.
    public var cores = CoreSelection.auto
    /// How many shards run: the first so many of `cores`, or more than those without pinning.
    ///
    /// Nil: one on each.
    public var coreCount: Int?
    /// Whether each shard's thread is bound to its CPU.
    public var pinning = Pinning.auto
    /// What each core's loop is made of.
    public var loop = LoopOptions()
    /// What all shards stand on: `loop.backend`.
    public var backend: BackendChoice {
        get { loop.backend }
        set { loop.backend = newValue }
    }
    /// Connections that wait to be accepted, for each listener.
    public var backlog = 4_096
    /// How long a drain may take before what is left is cut off.
    public var drainTimeout = Duration.seconds(10)
    /// How long handlers have to end after their cancellation, when a drain has taken that long; then
    /// the run ends without them.
    public var cancellationGrace = Duration.seconds(5)
    /// How new connections are evened out.
    public var balance = BalancePolicy.p2c
    /// How long a loop may go without a turn before it is reported; zero for never.
    public var stallLimit = Duration.milliseconds(25)
    /// Signals that begin the drain while a supervisor runs; their previous actions are restored after.
    ///
    /// Empty in a program with a signal handling of its own, which calls `Supervisor.drain()`.
    public var drainSignals: [Int32] = [SIGTERM, SIGINT]
    /// SIGPIPE is ignored from `Supervisor.run` on, for the whole process and for good, unless the
    /// program gave the signal an action of its own.
    ///
    /// Its default action ends the process when a log line meets a pipe whose reader is gone. A loop
    /// alone never touches the signal: its sends ask for none (MSG_NOSIGNAL). Ignoring it is inherited
    /// through exec(2): a program that starts others and minds that takes this off, or gives its
    /// children SIG_DFL.
    public var ignoresBrokenPipes = true
    /// The threads for blocking work that the shards share: `Shard.runInExecutor`, and the resolution of
    /// names.
    public var blocking = BlockingLimits()
    /// Finds the addresses of names that shards connect to.
    public var resolver: any Resolver = SystemResolver()
    /// How often a handler that threw is called again.
    public var restarts = RestartPolicy()
    /// Told of loops that stall, on a thread of the supervisor's; nil logs a warning.
    public var onStall: (@Sendable (Stall) -> Void)?
    /// One line for each variable that begins like ours and is none of ours.
    public private(set) var warnings: [String] = []
    private var given: Set<Setting> = []

    /// The defaults.
    public init() {}

    /// Reads the process's environment.
    ///
    /// - Throws: `ConfigurationError` for the first value that cannot be used.
    public static func fromEnvironment() throws(ConfigurationError) -> Configuration {
        try Configuration(environment: processEnvironment())
    }

    /// Reads a given environment.
    ///
    /// - Throws: `ConfigurationError` for the first value that cannot be used.
    public init(environment: [String: String]) throws(ConfigurationError) {
        let reader = SettingReader(environment: environment)
        try readCores(reader)
        try readRing(reader)
        try readPool(reader)
        try readLoad(reader)
        try readSupervision(reader)
        warnings = Self.unknown(environment)
        given = Set(environment.keys.compactMap(Setting.init(rawValue:)))
    }

    /// The environment, rather than the program or a default, says what this is.
    func isSet(_ setting: Setting) -> Bool { given.contains(setting) }

    private mutating func readCores(_ reader: SettingReader) throws(ConfigurationError) {
        cores = try CoreSelection(reader)
        coreCount = try reader.integerUnlessAuto(.coreCount, in: 1...Int(CN_CPUS_MAX))
        pinning = try reader.choice(.pinning, default: .auto)
    }

    private mutating func readRing(_ reader: SettingReader) throws(ConfigurationError) {
        loop.backend = try reader.choice(.backend, default: .auto)
        loop.ringEntries = try reader.powerOfTwo(
            .ringEntries,
            default: StandardSizes.ringEntries,
            in: 4...32_768
        )
        loop.completionEntries = try reader.powerOfTwo(
            .completionEntries,
            default: min(65_536, max(StandardSizes.completionEntries, 4 * loop.ringEntries)),
            in: 8...65_536
        )
        guard loop.completionEntries >= loop.ringEntries else {
            throw reader.error(
                .completionEntries,
                String(loop.completionEntries),
                "at least URINGCORE_RING_ENTRIES, which is \(loop.ringEntries)"
            )
        }
        loop.isSubmissionPolled = try reader.flag(.submissionPoll, default: false)
        loop.submissionPollIdle = .milliseconds(
            try reader.integer(.submissionPollIdle, default: 1_000, in: 1...3_600_000)
        )
        loop.featuresOff = try reader.choices(.featuresOff)
    }

    private mutating func readPool(_ reader: SettingReader) throws(ConfigurationError) {
        loop.bufferBytes = try reader.integer(
            .bufferSize,
            default: StandardSizes.bufferBytes,
            in: 64...16_777_216
        )
        loop.bufferCount = try reader.integer(
            .bufferCount,
            default: StandardSizes.bufferCount,
            in: 4...32_768
        )
        loop.memoryLock = try reader.choice(.memoryLock, default: .auto)
        loop.quarantine = .milliseconds(
            try reader.integer(.quarantine, default: 0, in: 0...3_600_000)
        )
    }

    private mutating func readLoad(_ reader: SettingReader) throws(ConfigurationError) {
        loop.limits.operationsPerFileMax = try reader.integer(
            .inFlightPerDescriptor,
            default: 64,
            in: 1...65_536
        )
        loop.limits.connectionsMax = try reader.integer(
            .connectionsMax,
            default: 0,
            in: 0...4_000_000
        )
        loop.limits.jobsBudget = .microseconds(
            try reader.integer(.jobBudget, default: 500, in: 1...1_000_000)
        )
        loop.spin = .microseconds(try reader.integer(.spin, default: 0, in: 0...1_000_000))
        loop.zeroCopyThreshold = try reader.integer(
            .zeroCopyThreshold,
            default: 0,
            in: 0...1 << 30
        )
        backlog = try reader.integer(.backlog, default: 4_096, in: 1...1_000_000)
        balance = try reader.choice(.balance, default: .p2c)
    }

    private mutating func readSupervision(_ reader: SettingReader) throws(ConfigurationError) {
        stallLimit = .milliseconds(try reader.integer(.stall, default: 25, in: 0...3_600_000))
        drainTimeout = .milliseconds(
            try reader.integer(.drain, default: 10_000, in: 0...86_400_000)
        )
    }

    private static func unknown(_ environment: [String: String]) -> [String] {
        environment.keys.sorted().compactMap { name in
            guard name.hasPrefix(Setting.prefix), Setting(rawValue: name) == nil else { return nil }
            let hint = Setting.nearest(to: name).map { "; did you mean \($0.rawValue)?" } ?? ""
            return "\(PrintableText(name)) is not a variable of this version\(hint)"
        }
    }

    // Safety: each entry is a C string of libc's environment, read before this program starts a
    // thread that changes it.
    private static func processEnvironment() -> [String: String] {
        var environment: [String: String] = [:]
        var position = 0
        while let entry = unsafe cu_environment_entry(position) {
            let text = unsafe String(cString: entry)
            position += 1
            guard let equals = text.firstIndex(of: "=") else { continue }
            environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return environment
    }
}
