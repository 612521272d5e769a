internal import Logging

/// One shard from its loop's start to its end, in steps: whoever has the loop's thread takes them.
///
/// > Thread: The shard's.
struct ShardLife {
    let shard: Shard
    let report: @Sendable (ShardEvent) -> Void
    private let lateness = Lateness()

    /// Set by a timer of the loop.
    private final class Lateness {
        var isLate = false
    }

    init(_ shard: Shard, report: @escaping @Sendable (ShardEvent) -> Void) {
        self.shard = shard
        self.report = report
    }

    /// The loop is about to run.
    func begin() {
        install()
        report(.ready(StartedShard(shard)))
    }

    private func install() {
        // Safety: the shard holds the executors, and this holds the shard until its loop has ended.
        shard.loop.executors = unsafe LoopExecutors(
            task: shard.executor.asUnownedTaskExecutor(),
            actor: shard.actorExecutor.asUnownedSerialExecutor()
        ) { [executor = shard.executor, actorExecutor = shard.actorExecutor] job, role in
            switch role {
            case .task: executor.runLate(job)
            case .actor: actorExecutor.runLate(job)
            }
        }
    }

    /// The loop was stopped, as the handlers have ended; what they wrote is still sent, up to the
    /// drain's limit.
    func beginFinish() {
        shard.beginDrain()
        shard.state.endLeftovers()
        // Once more, for what was opened since the drain began.
        shard.loop.drain()
        shard.loop.closeFiles()
        shard.loop.callAt(shard.endOfDrain) { [lateness] in lateness.isLate = true }
    }

    /// Everything was sent, or the limit has passed; until then the loop turns on.
    var isFinished: Bool { shard.loop.isDrained || lateness.isLate }

    /// The loop failed.
    func fail(_ error: IOError) {
        report(.failed(shard.index, error))
    }

    /// Ends the loop.
    func end() {
        if lateness.isLate, !shard.loop.isDrained {
            shard.runtime.logger.warning(
                "shard \(shard.index): the drain's limit passed; the rest is reset"
            )
        }
        shard.state.end()
        shard.loop.shutDown()
        // They hold the loop. A step that comes later finds its way by itself.
        shard.loop.executors = nil
    }
}
