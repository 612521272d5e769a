/// How a runtime is laid out over the machine: its shards, their CPUs, what each loop gets, and why.
///
/// > Thread: Any thread.
public struct CorePlan: Sendable {
    /// The CPUs that were chosen, ascending.
    public let cpus: [Int]
    /// How many shards run; more than there are CPUs when `URINGCORE_CORE_COUNT` says so.
    public let shardCount: Int
    /// Each shard's thread is bound to one CPU.
    public let isPinned: Bool
    /// The options of each shard's loop: those of the configuration, with what depends on the
    /// machine resolved.
    public let loop: LoopOptions
    /// Why these CPUs, and as many.
    public let coresReason: String
    /// Why threads are pinned or not.
    public let pinningReason: String
    /// Why loops spin or, although it was asked for, do not; nil when it was not.
    public let spinReason: String?
    /// Why the pools are smaller than usual; nil when they are not.
    public let poolReason: String?
    private let isListed: Bool

    /// Lays a runtime out on this machine, as the calling thread and its control groups see it.
    ///
    /// - Throws: `ConfigurationError` for CPUs or a count that this process cannot have.
    public init(_ configuration: Configuration) throws(ConfigurationError) {
        try self.init(configuration, on: .current())
    }

    /// Lays a runtime out on a given machine.
    ///
    /// - Throws: `ConfigurationError` for CPUs or a count that this machine does not have.
    package init(
        _ configuration: Configuration,
        on machine: AvailableResources
    ) throws(ConfigurationError) {
        let chosen = try CoreChoice(configuration, on: machine)
        cpus = chosen.cpus
        shardCount = chosen.shardCount
        coresReason = chosen.reason
        isListed = chosen.isListed
        (isPinned, pinningReason) = chosen.pinning(configuration.pinning)
        var loop = configuration.loop
        loop.loopCount = chosen.shardCount
        spinReason = chosen.settleSpin(in: &loop)
        poolReason = PoolFit(configuration).settle(
            in: &loop,
            memory: machine.controlGroup.memory
        )
        self.loop = loop
    }

    /// The CPU of each shard; nil where threads are not pinned.
    public var cpuOfShard: [Int?] {
        (0..<shardCount).map { isPinned ? cpus[$0 % cpus.count] : nil }
    }

    /// The CPUs that a shard's thread is bound to: one when it is pinned, those of the list when
    /// the operator gave one.
    ///
    /// - Returns: an empty list for a thread that runs wherever its creator may.
    public func affinity(ofShard shard: Int) -> [Int] {
        if isPinned { return [cpus[shard % cpus.count]] }
        return isListed ? cpus : []
    }

    /// What is worth a line each at the start.
    public var log: [String] {
        var lines = [
            "cores: \(coresReason)", "pinning \(isPinned ? "on" : "off"): \(pinningReason)",
        ]
        if let spinReason { lines.append("spinning \(isSpinning ? "on" : "off"): \(spinReason)") }
        if let poolReason { lines.append("buffers: \(poolReason)") }
        return lines
    }

    /// Loops look for work a while before they park.
    public var isSpinning: Bool { loop.spin > .zero }
}
