internal import Logging
internal import Synchronization

/// What the shards of one run share.
///
/// > Thread: Any thread.
final class Runtime: Sendable {
    let shardCount: Int
    let configuration: Configuration
    let logger: Logger
    let registry: ListenerRegistry
    private let started = Mutex<[Shard]>([])

    init(shardCount: Int, configuration: Configuration, logger: Logger) {
        self.shardCount = shardCount
        self.configuration = configuration
        self.logger = logger
        let balance = Balance(
            policy: configuration.balance,
            connectionsMax: configuration.loop.limits.connectionsMax
        )
        self.registry = ListenerRegistry(balance: balance)
    }

    /// All shards, in order; empty before all are ready, and after the end.
    var shards: [Shard] {
        get { started.withLock { $0 } }
        set { started.withLock { $0 = newValue } }
    }

    /// The run is over: shards hold this, and are let go here.
    func end() {
        shards = []
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
