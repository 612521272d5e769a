import Glibc
import Synchronization
import Testing

@testable import UringCore
@testable import UringEngine

/// Sockets and connections that change their shard.
@Suite("Connections between shards", .serialized)
struct HandOverTests {
    struct Refusal: Error {}

    private static func restarting(
        _ change: (inout Configuration) -> Void = { _ in }
    ) -> Configuration {
        configured {
            $0.restarts.delay = .milliseconds(1)
            $0.restarts.delayMax = .milliseconds(1)
            $0.restarts.restartsMax = .max
            change(&$0)
        }
    }

    /// Echoes on every shard; shard 0 does so in turns of a moment, as long as `isRestless` says.
    private func restless(
        _ shardCount: Int,
        _ placement: ListenerPlacement,
        _ addresses: Addresses,
        while isRestless: @escaping @Sendable () -> Bool
    ) -> SupervisedRun {
        SupervisedRun(makeSupervisor(shardCount, Self.restarting())) { shard in
            let listener = try shard.listen(placement: placement)
            addresses.add(listener.address)
            guard shard.index == 0, isRestless() else { return try await listener.serve(echo) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await listener.serve(echo) }
                // Until its own connections have ended: what it resets is not the hand-over's doing.
                try? await shard.sleep(for: .milliseconds(2))
                while shard.loop.openConnections > 0 {
                    try? await shard.sleep(for: .milliseconds(1))
                }
                group.cancelAll()
            }
            throw Refusal()
        }
    }

    /// Each of these connects, exchanges and leaves, over and over.
    private func clients(
        _ count: Int,
        _ exchangesMax: Int,
        _ address: SocketAddress
    ) async throws -> [String] {
        let failures = SharedList<String>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    try await onThread {
                        for number in 0..<exchangesMax {
                            do {
                                try BlockingClient(to: address).exchange([1, 2, 3])
                            } catch {
                                failures.append("\(number): \(error)")
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return failures.all
    }

    /// A descriptor that was accepted while its shard stopped goes to one that serves.
    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func surviveRestartsUnderLoad(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let isOver = SharedCount()
            let run = restless(2, placement, addresses) { isOver.value == 0 }
            let address = try await addresses.last(after: 2)
            let failures = try await clients(4, 300, address)
            #expect(failures == [])
            isOver.add()
            try await run.drain()
        }
    }

    /// With nobody else to serve them they wait for the next call.
    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func surviveRestartsOfTheOnlyShard(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let isOver = SharedCount()
            let run = restless(1, placement, addresses) { isOver.value == 0 }
            let address = try await addresses.last(after: 1)
            let failures = try await clients(4, 100, address)
            #expect(failures == [])
            isOver.add()
            try await run.drain()
        }
    }

    /// The acceptor is away for good: another shard takes over, whichever it was.
    @Test(arguments: 0..<3)
    func goOnWhenAnotherShardTakesOverAccepting(_ leaving: Int) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let mayLeave = EventGate()
            let left = EventGate()
            let run = SupervisedRun(makeSupervisor(3)) { shard in
                let listener = try shard.listen(placement: .distributed)
                let serving = Task(executorPreference: shard.executor) {
                    try await listener.serve(echo)
                }
                while shard.state.sessions.isEmpty { await Task.yield() }
                addresses.add(listener.address)
                if shard.index == leaving {
                    try await onThread { try mayLeave.wait("the time to leave") }
                    serving.cancel()
                    _ = await serving.result
                    left.open()
                }
                try await shard.untilDrain()
                _ = await serving.result
            }
            let address = try await addresses.last(after: 3)
            #expect(try await clients(1, 20, address) == [])
            mayLeave.open()
            try await left.opened("a shard that has left")
            #expect(try await clients(1, 50, address) == [])
            let loads = await run.supervisor.snapshot().map(\.loop.connections)
            #expect(loads.reduce(0, +) == 70)
            try await run.drain()
        }
    }

    /// Connections on their way to a shard whose loop ends meanwhile are served or closed, never lost.
    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func areNotLostInADrainUnderLoad(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            for _ in 0..<10 {
                let addresses = Addresses()
                let run = SupervisedRun(makeSupervisor(4)) { shard in
                    let listener = try shard.listen(placement: placement)
                    addresses.add(listener.address)
                    try await listener.serve(echo)
                }
                let address = try await addresses.last(after: 4)
                let isOver = SharedCount()
                let load = Task {
                    try await onThread {
                        // Refused and reset they may be: the server ends.
                        var clients: [BlockingClient] = []
                        while isOver.value == 0 {
                            guard let client = try? BlockingClient(to: address) else {
                                clients.removeAll()
                                continue
                            }
                            try? client.send([1])
                            clients.append(client)
                            if clients.count == 100 { clients.removeAll() }
                        }
                    }
                }
                try await eventuallyLoaded(run)
                try await run.drain()
                isOver.add()
                try await load.value
            }
        }
    }

    private func eventuallyLoaded(_ run: SupervisedRun) async throws {
        while await run.supervisor.snapshot().map(\.loop.connections).reduce(0, +) < 50 {
            await Task.yield()
        }
    }
}
