internal import CNUMA

/// The CPUs and the number of shards that a configuration comes to on a machine.
///
/// > Thread: Any thread.
struct CoreChoice {
    /// Ascending, at least one.
    let cpus: [Int]
    let shardCount: Int
    let reason: String
    /// The operator named the CPUs one by one.
    let isListed: Bool
    private let allowedCount: Int
    private let quota: CPUQuota?

    /// Chooses.
    ///
    /// A count that is given stands, whatever the quota; without one, `auto` takes as many as the
    /// quota keeps busy.
    ///
    /// - Throws: `ConfigurationError` for what this machine cannot give.
    init(
        _ configuration: Configuration,
        on machine: AvailableResources
    ) throws(ConfigurationError) {
        let allowed = machine.allowedCPUs
        let candidates = try Self.candidates(configuration.cores, allowed)
        allowedCount = allowed.count
        quota = machine.controlGroup.quota
        if case .list = configuration.cores { isListed = true } else { isListed = false }
        let words = Words(candidates: candidates, allowedCount: allowed.count, isListed: isListed)
        if let count = configuration.coreCount {
            try Self.check(count, configuration.pinning, candidates)
            cpus = Array(candidates.prefix(count))
            shardCount = count
            reason = words.given(count)
        } else if configuration.cores == .auto, let quota, quota.threadCount < candidates.count {
            cpus = Array(candidates.prefix(quota.threadCount))
            shardCount = quota.threadCount
            reason = "\(words.part(shardCount)): \(quota) in \(quota.source)"
        } else {
            cpus = candidates
            shardCount = candidates.count
            reason = words.all
        }
    }

    private static func candidates(
        _ selection: CoreSelection,
        _ allowed: [Int]
    ) throws(ConfigurationError) -> [Int] {
        let candidates = try selection.resolve(allowed: allowed)
        guard candidates.isEmpty else { return candidates }
        throw ConfigurationError(
            variable: Setting.cores.rawValue,
            value: "",
            accepted: "at least one CPU"
        )
    }

    /// Shards may outnumber CPUs, but not when each is to have its own.
    private static func check(
        _ count: Int,
        _ pinning: Pinning,
        _ candidates: [Int]
    ) throws(ConfigurationError) {
        let countMax = pinning == .on ? candidates.count : Int(CN_CPUS_MAX)
        guard !(1...countMax).contains(count) else { return }
        let more = pinning == .on ? "; URINGCORE_PIN=off allows more shards than CPUs" : ""
        throw ConfigurationError(
            variable: Setting.coreCount.rawValue,
            value: "\(count)",
            accepted: "auto or a whole number from 1 to \(countMax)\(more)"
        )
    }

    // MARK: What follows from it

    /// Whether threads are bound, and why.
    ///
    /// With a fractional quota a bound thread that is throttled cannot use the time that others
    /// leave on another CPU. A quota of at least the CPUs in use throttles nobody.
    func pinning(_ wish: Pinning) -> (isPinned: Bool, reason: String) {
        switch wish {
        case .on: return (true, "URINGCORE_PIN=on")
        case .off: return (false, "URINGCORE_PIN=off")
        case .auto: break
        }
        if shardCount > cpus.count {
            let shards = Words.counted(shardCount, "shard")
            return (false, "\(shards) outnumber \(Words.counted(cpus.count, "CPU"))")
        }
        if let quota, quota.isFractional, quota.cpus < Double(cpus.count) {
            return (false, "\(quota) is a fraction, in \(quota.source)")
        }
        return (true, "each shard has a CPU")
    }

    /// Turns spinning off where a spinning loop would take time from another one.
    ///
    /// - Returns: why it is on or off; nil when it was not asked for.
    func settleSpin(in loop: inout LoopOptions) -> String? {
        guard loop.spin > .zero else { return nil }
        let cpuCount = min(Double(allowedCount), quota?.cpus ?? .infinity)
        let load = Words.counted(shardCount, "shard") + " on "
        let room = Words.counted(allowedCount, "allowed CPU")
        guard Double(shardCount) >= cpuCount else { return load + room }
        loop.spin = .zero
        let bound = cpuCount < Double(allowedCount) ? quota.map { " with \($0)" } ?? "" : ""
        return "\(load)\(room)\(bound) leave no CPU to spin on"
    }
}

/// The words for a choice.
private struct Words {
    let candidates: [Int]
    let allowedCount: Int
    let isListed: Bool

    /// `1 CPU`, `2 CPUs`.
    static func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    private var candidateCount: String {
        Self.counted(candidates.count, isListed ? "listed CPU" : "allowed CPU")
    }

    /// All candidates, without further reason.
    var all: String {
        isListed
            ? "CPUs \(CPUList.text(of: candidates)) of \(allowedCount) allowed: URINGCORE_CORES"
            : "all of \(candidateCount)"
    }

    /// The first few of them.
    func part(_ count: Int) -> String { "\(count) of \(candidateCount)" }

    /// A count that the operator gave.
    func given(_ count: Int) -> String {
        let isPart = count <= candidates.count
        let what = isPart ? part(count) : "\(count) shards on \(candidateCount)"
        return "\(what): URINGCORE_CORE_COUNT"
    }
}
