import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// How evenly connections are spread; shards may outnumber CPUs.
@Suite("Balance", .serialized)
struct BalanceTests {
    /// Connections of each shard, when so many are open at once.
    private func loads(
        _ shardCount: Int,
        _ connectionCount: Int,
        _ policy: BalancePolicy,
        _ placement: ListenerPlacement = .perShard
    ) async throws -> [Int] {
        raiseDescriptorLimit()
        let addresses = Addresses()
        let configuration = configured {
            $0.balance = policy
            $0.loop.ringEntries = 64
            $0.loop.completionEntries = 512
            $0.loop.bufferCount = 16
        }
        let run = SupervisedRun(makeSupervisor(shardCount, configuration)) { shard in
            let listener = try shard.listen(placement: placement)
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: shardCount)
        let clients = try await connect(connectionCount, to: address)
        let loads = await run.supervisor.snapshot().map(\.loop.openConnections)
        for client in clients { client.close() }
        try await run.drain()
        #expect(loads.reduce(0, +) == connectionCount)
        return loads
    }

    private static let sizes = [8, 16].flatMap { shards in
        [32, 64, 128, 512].map { (shards, $0) }
    }

    @Test(arguments: sizes)
    func keepsShardsAlike(_ shardCount: Int, _ connectionCount: Int) async throws {
        let loads = try await loads(shardCount, connectionCount, .p2c)
        let mean = Double(connectionCount) / Double(shardCount)
        let most = Double(try #require(loads.max()))
        if connectionCount <= 128 {
            #expect(most - mean <= 2, "\(loads)")
        } else {
            #expect(most <= 1.1 * mean, "\(loads)")
        }
        // What the kernel alone does, for comparison.
        let kernel = try await self.loads(shardCount, connectionCount, .off)
        let kernelMost = Double(try #require(kernel.max()))
        print(
            "\(shardCount) shards, \(connectionCount) connections, most over mean:",
            "p2c \(rounded(most / mean)), SO_REUSEPORT alone \(rounded(kernelMost / mean))"
        )
    }

    private func rounded(_ ratio: Double) -> Double { (ratio * 100).rounded() / 100 }

    /// All at once, from several threads: those on their way count.
    @Test func keepsShardsAlikeInABurst() async throws {
        raiseDescriptorLimit()
        let addresses = Addresses()
        let run = SupervisedRun(makeSupervisor(8)) { shard in
            let listener = try shard.listen()
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: 8)
        let clients = try await withThrowingTaskGroup(of: [BlockingClient].self) { group in
            for _ in 0..<4 { group.addTask { try await connect(32, to: address) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let loads = await run.supervisor.snapshot().map(\.loop.openConnections)
        #expect(try #require(loads.max()) <= 18, "\(loads)")
        for client in clients { client.close() }
        try await run.drain()
    }

    @Test(arguments: [BalancePolicy.p2c, .off, .rx])
    func servesAllWithEveryPolicy(_ policy: BalancePolicy) async throws {
        _ = try await loads(4, 40, policy)
    }

    /// One accepts for all: there is nothing that could be off.
    @Test(arguments: [BalancePolicy.p2c, .off])
    func spreadsWhatOneShardAccepts(_ policy: BalancePolicy) async throws {
        let loads = try await loads(4, 40, policy, .distributed)
        #expect(loads.allSatisfy { (9...11).contains($0) }, "\(loads)")
    }

    // MARK: The limit of a shard

    private func limited(
        _ policy: BalancePolicy,
        _ placement: ListenerPlacement,
        _ addresses: Addresses
    ) -> SupervisedRun {
        let configuration = configured {
            $0.balance = policy
            $0.loop.limits.connectionsMax = 5
        }
        return SupervisedRun(makeSupervisor(2, configuration)) { shard in
            let listener = try shard.listen(placement: placement)
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func fillsEveryShardToItsLimitAndNoMore(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let run = limited(.p2c, placement, addresses)
            let address = try await addresses.last(after: 2)
            let clients = try await connect(10, to: address)
            let more = try await onThread {
                try (0..<10).map { _ in try BlockingClient(to: address) }
            }
            try await onThread { for client in more { try client.send([1]) } }
            let loads = await run.supervisor.snapshot().map(\.loop.openConnections)
            // Two that accept at the same moment may both find the last place.
            #expect(loads.allSatisfy { (5...6).contains($0) }, "\(loads)")
            // Each that leaves makes room for one that waits.
            for client in clients { client.close() }
            let echoes = try await onThread { try more.map { try $0.receive(1) } }
            #expect(echoes.allSatisfy { $0 == [1] })
            for client in more { client.close() }
            try await run.drain()
        }
    }

    /// Wherever a place comes free: whoever accepts must notice, even if it is another shard's.
    @Test(arguments: [ListenerPlacement.perShard, .distributed], 0..<2)
    func goesOnWhenAnyShardHasAPlaceAgain(
        _ placement: ListenerPlacement,
        _ leaving: Int
    ) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let placed = SharedList<Int>()
            let configuration = configured { $0.loop.limits.connectionsMax = 5 }
            let run = SupervisedRun(makeSupervisor(2, configuration)) { shard in
                let listener = try shard.listen(placement: placement)
                addresses.add(listener.address)
                try await listener.serve { connection in
                    placed.append(connection.shard.index)
                    try await echo(connection)
                }
            }
            let address = try await addresses.last(after: 2)
            let clients = try await connect(10, to: address)
            #expect(placed.all.count == 10)
            for (client, shard) in zip(clients, placed.all) where shard == leaving {
                client.close()
            }
            let more = try await connect(5, to: address)
            // Where two accepted at the same moment, one shard may have had one more than its limit.
            #expect(placed.all.suffix(5).count { $0 == leaving } >= 4)
            for client in clients + more { client.close() }
            try await run.drain()
        }
    }
}
