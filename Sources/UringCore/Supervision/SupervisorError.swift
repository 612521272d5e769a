/// Why a server could not start, or ended otherwise than by a drain.
///
/// > Thread: Any thread.
public enum SupervisorError: Error, Sendable, CustomStringConvertible {
    /// A shard could not be made; none runs.
    case startFailed(shard: Int, cpu: Int?, cause: IOError)
    /// A shard's loop could not go on.
    case shardFailed(shard: Int, cpu: Int?, cause: IOError)
    /// A shard's handler threw before it served, or more often than it is restarted.
    case handlerFailed(shard: Int, cause: any Error)
    /// These shards' handlers ignored the drain and their cancellation; their threads still run.
    case drainTimedOut(shards: [Int])
    /// A signal that should drain cannot be watched.
    case signalsUnavailable(cause: IOError)
    /// The supervisor runs already.
    case alreadyRunning

    /// One line that names the shard and the cause.
    public var description: String {
        switch self {
        case .startFailed(let shard, let cpu, let cause):
            "\(Shard.name(shard, cpu)) could not start, so none did: \(cause)"
        case .shardFailed(let shard, let cpu, let cause):
            "\(Shard.name(shard, cpu)) failed: \(cause)"
        case .handlerFailed(let shard, let cause):
            "the handler of shard \(shard) failed: \(cause)"
        case .drainTimedOut(let shards):
            "the handlers of shards \(shards) did not end after their cancellation"
        case .signalsUnavailable(let cause):
            // Descriptors may be short too: then leaving signals alone does not help.
            "signals cannot be watched: \(cause)"
                + (cause.operation == .watchSignal ? "; set Configuration.drainSignals to []" : "")
        case .alreadyRunning:
            "this supervisor runs already"
        }
    }
}
