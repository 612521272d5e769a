import Testing

@testable import UringCore

/// What shards have counted, asked from outside.
@Suite("A snapshot", .serialized)
struct SnapshotTests {
    @Test func isEmptyBeforeAndAfterARun() async throws {
        let supervisor = makeSupervisor(2)
        #expect(await supervisor.snapshot().isEmpty)
        try await SupervisedRun(supervisor) { _ in }.expectEnd()
        #expect(await supervisor.snapshot().isEmpty)
    }

    @Test func countsEveryConnectionOnce() async throws {
        let addresses = Addresses()
        let run = SupervisedRun(makeSupervisor(3)) { shard in
            let listener = try shard.listen()
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: 3)
        let clients = try await onThread {
            try (0..<30).map { _ in
                let client = try BlockingClient(to: address)
                try client.exchange([1])
                return client
            }
        }
        let snapshots = await run.supervisor.snapshot()
        #expect(snapshots.map(\.shard) == [0, 1, 2])
        #expect(snapshots.map(\.cpu) == [nil, nil, nil])
        #expect(snapshots.map(\.loop.openConnections).reduce(0, +) == 30)
        for client in clients { client.close() }
        try await run.drain()
    }

    /// From many threads, through the start and the end of runs under load.
    @Test func canBeTakenAtAnyTime() async throws {
        let supervisor = makeSupervisor(2)
        let isOver = SharedCount()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    while isOver.value == 0 {
                        let count = await supervisor.snapshot().count
                        #expect(count <= 2)
                        await Task.yield()
                    }
                }
            }
            for _ in 0..<10 {
                let addresses = Addresses()
                let run = SupervisedRun(supervisor) { shard in
                    let listener = try shard.listen()
                    addresses.add(listener.address)
                    try await listener.serve(echo)
                }
                let address = try await addresses.last(after: 2)
                try await onThread {
                    for _ in 0..<10 { try BlockingClient(to: address).exchange([1, 2, 3]) }
                }
                try await run.drain()
            }
            isOver.add()
            try await group.waitForAll()
        }
    }
}
