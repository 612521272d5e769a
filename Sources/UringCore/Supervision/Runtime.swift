internal import Logging
internal import Synchronization

/// What the shards of one run share.
///
/// > Thread: Any thread.
final class Runtime: Sendable {
    let plan: CorePlan
    /// The CPU of each shard; nil where the scheduler places it.
    let cpus: [Int?]
    let configuration: Configuration
    let logger: Logger
    let registry: ListenerRegistry
    /// For work that would block a shard.
    let blocking: BlockingPool
    let datagrams = DatagramRegistry()
    private let started = Mutex<[Shard]>([])

    /// Without a pool for blocking work it makes one of the configuration's limits, which were checked.
    init(
        plan: CorePlan,
        cpus: [Int?],
        configuration: Configuration,
        logger: Logger,
        blocking: BlockingPool? = nil
    ) {
        self.plan = plan
        self.cpus = cpus
        self.configuration = configuration
        self.logger = logger
        self.blocking = blocking ?? BlockingPool(checked: configuration.blocking)
        let balance = Balance(
            policy: configuration.balance,
            connectionsMax: configuration.loop.limits.connectionsMax
        )
        self.registry = ListenerRegistry(balance: balance)
    }

    var shardCount: Int { cpus.count }

    /// All shards, in order; empty before all are ready, and after the end.
    var shards: [Shard] {
        get { started.withLock { $0 } }
        set { started.withLock { $0 = newValue } }
    }

    /// The threads of the shards have ended, but for those that hang: closes the sockets that nobody
    /// accepts on, and lets go of the shards.
    func end(hanging: Set<Int>) {
        guard let loop = shards.first?.loop else { return }
        registry.close(exceptOf: hanging, through: loop.control)
        if hanging.isEmpty { shards = [] }
    }

    /// The shard with a number.
    func shard(_ index: Int) throws(IOError) -> Shard {
        guard (0..<shardCount).contains(index) else {
            throw IOError(
                .submit,
                reason: .invalidArgument,
                detail: "there is no shard \(index); shards are 0 to \(shardCount - 1)"
            )
        }
        let shards = shards
        guard shards.indices.contains(index) else {
            throw IOError(.submit, reason: .closed, detail: "the server has ended")
        }
        return shards[index]
    }

    /// The CPU that a started shard's thread was really bound to; nil where the scheduler places it.
    func cpu(of index: Int) -> Int? {
        shards.first { $0.index == index }?.cpu
    }

    static func ended(_ shard: Shard, _ operation: IOError.Operation) -> IOError {
        IOError(operation, reason: .closed, detail: "\(shard) has ended")
    }

    /// How sockets listen when the program does not say.
    var listenerOptions: ListenerOptions {
        var options = ListenerOptions()
        options.backlog = configuration.backlog
        return options
    }
}
