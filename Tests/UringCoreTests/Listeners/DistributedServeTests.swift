import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// One socket for several shards, which take turns in accepting.
@Suite(.serialized) struct DistributedServeTests {
    @Test func anotherShardAcceptsWhenTheFirstEnds() async throws {
        try await withShards(3) { run in
            let listeners = try await run.listen(on: 0..<3, placement: .distributed)
            let address = listeners[0].address
            var serving = listeners.map { run.serveEcho($0) }
            for listener in listeners {
                try await run.eventually("a shard serves", on: listener.shard) {
                    !$0.state.sessions.isEmpty
                }
            }
            // Each ends in its turn; the last goes on alone.
            while serving.count > 1 {
                try await onThread {
                    for _ in 0..<10 { try BlockingClient(to: address).exchange([1, 2]) }
                }
                let first = serving.removeFirst()
                first.cancel()
                #expect(await thrownReason { try await ended(first, "serve") } == .cancelled)
            }
            try await onThread {
                for _ in 0..<10 { try BlockingClient(to: address).exchange([3]) }
            }
            serving[0].cancel()
            #expect(await thrownReason { try await ended(serving[0], "serve") } == .cancelled)
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func losesNoClientWhileShardsComeAndGo(_ placement: ListenerPlacement) async throws {
        try await withShards(2) { run in
            let listeners = try await run.listen(on: 0..<2, placement: placement)
            let address = listeners[0].address
            let isOver = SharedCount()
            // Reset are only those whose handler had begun, or was about to: each is counted.
            let cancelled = SharedCount()
            let servers = listeners.map { listener in
                run.task(on: listener.shard.index) { shard in
                    while isOver.value == 0 {
                        let serving = Task(executorPreference: shard.executor) {
                            try await listener.serve(
                                onConnectionError: { _ in cancelled.add() },
                                echo
                            )
                        }
                        try await shard.sleep(for: .milliseconds(2))
                        serving.cancel()
                        _ = await serving.result
                    }
                    try await listener.serve(echo)
                }
            }
            let resetCount = try await onThread {
                var resetCount = 0
                for number in 0..<1_000 {
                    do {
                        try BlockingClient(to: address).exchange([UInt8(number % 256)])
                    } catch  where ["ECONNRESET", "EPIPE"].contains(where: "\(error)".contains) {
                        resetCount += 1
                    }
                }
                return resetCount
            }
            #expect(resetCount <= cancelled.value)
            isOver.add()
            try await onThread {
                for _ in 0..<10 { try BlockingClient(to: address).exchange([1]) }
            }
            for server in servers {
                server.cancel()
                _ = await thrownReason { try await ended(server, "serve") }
            }
        }
    }
}

extension ShardedRun {
    fileprivate func serveEcho(_ listener: Listener) -> Task<Void, any Error> {
        task(on: listener.shard.index) { _ in try await listener.serve(echo) }
    }
}
