internal import Logging
internal import Synchronization

/// What the shards of one run share.
///
/// > Thread: Any thread.
final class Runtime: Sendable {
    let plan: CorePlan
    let configuration: Configuration
    let logger: Logger
    let registry: ListenerRegistry
    private let started = Mutex<[Shard]>([])

    init(plan: CorePlan, configuration: Configuration, logger: Logger) {
        self.plan = plan
        self.configuration = configuration
        self.logger = logger
        let balance = Balance(
            policy: configuration.balance,
            connectionsMax: configuration.loop.limits.connectionsMax
        )
        self.registry = ListenerRegistry(balance: balance)
    }

    var shardCount: Int { plan.shardCount }

    /// All shards, in order; empty before all are ready.
    var shards: [Shard] {
        get { started.withLock { $0 } }
        set { started.withLock { $0 = newValue } }
    }

    /// The shard with a number.
    func shard(_ index: Int) throws(IOError) -> Shard {
        let shards = shards
        guard shards.indices.contains(index) else {
            throw IOError(
                .submit,
                reason: .invalidArgument,
                detail: "there is no shard \(index); shards are 0 to \(shardCount - 1)"
            )
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
