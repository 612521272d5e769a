internal import Logging

/// Calls a shard's handler, and calls it again when it throws.
///
/// > Thread: A task on the shard.
struct HandlerLoop: Sendable {
    let shard: Shard
    let policy: RestartPolicy
    let handler: @Sendable (Shard) async throws -> Void
    let report: @Sendable (ShardEvent) -> Void

    /// Reports when the handler has returned, or will not be called again.
    func run() async {
        let error = await runToTheEnd()
        // Clients would wait for ever at a socket that nobody accepts on.
        shard.runtime.registry.leave(shard)
        report(.handlerEnded(shard.index, error))
    }

    private func runToTheEnd() async -> (any Error)? {
        var restarts = 0
        while true {
            let began = shard.loop.now
            do {
                try await handler(shard)
                return nil
            } catch {
                // What a drain makes it throw is no failure.
                if isOver {
                    shard.runtime.logger.debug(
                        "the handler of \(shard) ended with the drain: \(error)"
                    )
                    return nil
                }
                if Duration.nanoseconds(shard.loop.now &- began) >= policy.calm { restarts = 0 }
                guard shard.state.hasServed, restarts < policy.restartsMax else { return error }
                await pause(restarts, after: error)
                restarts += 1
                if isOver { return nil }
            }
        }
    }

    private var isOver: Bool { shard.isDrainingHere || Task.isCancelled }

    private func pause(_ restart: Int, after error: any Error) async {
        let delay = policy.delay(before: restart)
        shard.runtime.logger.warning(
            "the handler of \(shard) threw \(error); restart \(restart + 1) of \(policy.restartsMax) in \(delay)"
        )
        _ = await shard.awaitDrain(timeout: delay)
    }
}
