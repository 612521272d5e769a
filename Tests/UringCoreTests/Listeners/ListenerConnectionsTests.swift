import Testing

@testable import UringCore
@testable import UringEngine

/// Accepted connections as a sequence.
@Suite(.serialized) struct ListenerConnectionsTests {
    @Test func servesEachAndEndsWithTheDrain() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let serving = run.task { shard in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for try await connection in listener.connections {
                        group.addTask { try await connection.use(echo) }
                    }
                    try await group.waitForAll()
                }
            }
            try await onThread {
                for round in 0..<20 {
                    try BlockingClient(to: listener.address).exchange([UInt8(round), 1])
                }
            }
            run.drain()
            try await ended(serving, "the loop over connections")
        }
    }

    @Test func acceptsNoMoreThanItsLimitAhead() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let taken = EventGate()
            let go = TaskGate()
            let looping = run.task { shard in
                var count = 0
                for try await connection in listener.connections(ahead: 3) {
                    connection.abort()
                    count += 1
                    if count == 1 {
                        taken.open()
                        await go.opened()
                    }
                    if count == 20 { return }
                }
            }
            let clients = try await onThread {
                try (0..<20).map { _ in try BlockingClient(to: listener.address) }
            }
            try await taken.opened("the first connection")
            try await run.eventually("three wait", on: run.shards[0]) {
                $0.loop.metrics.openConnections == 3
            }
            // Whoever would accept more had its chance by now.
            for _ in 0..<20 { try await run.on { shard in try await shard.sleep(for: .zero) } }
            #expect(try await run.on { $0.loop.metrics.openConnections } == 3)
            go.open()
            try await ended(looping, "a loop over 20 connections")
            withExtendedLifetime(clients) {}
        }
    }

    @Test func aLoopThatIsLeftStopsAcceptingAndResetsWhatWaits() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let clients = try await onThread {
                try (0..<5).map { _ in try BlockingClient(to: listener.address) }
            }
            try await run.on { shard in
                for try await connection in listener.connections {
                    connection.abort()
                    break
                }
            }
            try await run.eventually("nothing is open", on: run.shards[0]) {
                $0.loop.metrics.openConnections == 0 && $0.state.sessions.isEmpty
            }
            // Another may serve the address now, and has what was in the backlog.
            let serving = run.task { _ in try await listener.serve(echo) }
            try await onThread { try BlockingClient(to: listener.address).exchange([1]) }
            serving.cancel()
            _ = await serving.result
            withExtendedLifetime(clients) {}
        }
    }

    @Test func aWaitForTheNextCanBeCancelledAndHasADeadline() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.withTimeout(.milliseconds(5)) {
                        for try await connection in listener.connections { connection.abort() }
                    }
                }
            }
            #expect(reason == .deadlineExceeded)
            let waiting = run.task { _ in
                for try await connection in listener.connections { connection.abort() }
            }
            try await run.eventually("it accepts", on: run.shards[0]) {
                !$0.state.sessions.isEmpty
            }
            waiting.cancel()
            #expect(await thrownReason { try await ended(waiting, "a loop") } == .cancelled)
        }
    }

    @Test func elsewhereOrTwiceIsRefused() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            var outside = listener.connections.makeAsyncIterator()
            do throws(IOError) {
                _ = try await outside.next()
                Issue.record("nothing comes elsewhere")
            } catch {
                #expect(error.reason == .wrongShard)
            }
            let serving = run.task { _ in try await listener.serve(echo) }
            try await run.eventually("it serves", on: run.shards[0]) { !$0.state.sessions.isEmpty }
            let reason = try await run.on { _ in
                await thrownReason {
                    for try await connection in listener.connections { connection.abort() }
                }
            }
            #expect(reason == .busy)
            serving.cancel()
            _ = await serving.result
        }
    }
}
