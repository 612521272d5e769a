import Synchronization
import Testing

@testable import UringCore

/// What a handler may do to its server: throw, return, hang.
@Suite("A shard's handler", .serialized)
struct HandlerTests {
    struct Refusal: Error {}

    /// Restarts without much of a wait.
    private static func restarting(_ restartsMax: Int = 5) -> Configuration {
        configured {
            $0.restarts.delay = .milliseconds(1)
            $0.restarts.restartsMax = restartsMax
        }
    }

    @Test func thatThrowsAtOnceEndsTheRunAndDrainsTheOthers() async throws {
        try await leavingNothing {
            let drained = SharedCount()
            let run = SupervisedRun(makeSupervisor(3, Self.restarting())) { shard in
                if shard.index == 1 { throw Refusal() }
                try await shard.untilDrain()
                drained.add()
            }
            let outcome = try await run.outcome()
            guard case .handlerFailed(1, let cause) = outcome else {
                throw UnexpectedOutcome(outcome)
            }
            #expect(cause is Refusal)
            #expect(drained.value == 2)
        }
    }

    @Test func thatThrowsAfterItServedIsCalledAgain() async throws {
        try await leavingNothing {
            let failing = FailingServer(times: 3)
            let supervisor = makeSupervisor(2, Self.restarting())
            let run = SupervisedRun(supervisor) { try await failing.handle($0) }
            let address = try await failing.addresses.last(after: 2)
            for _ in 0..<3 {
                failing.fail()
                _ = try await failing.addresses.last(after: 1)
            }
            try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
            #expect(failing.addresses.distinct.count == 1, "it gets its socket back")
            try await run.drain()
        }
    }

    @Test func thatThrowsMoreOftenThanTheLimitEndsTheRun() async throws {
        let failing = FailingServer(times: .max)
        let calls = SharedCount()
        let run = SupervisedRun(makeSupervisor(2, Self.restarting(3))) { shard in
            if shard.index == 0 { calls.add() }
            try await failing.handle(shard)
        }
        _ = try await failing.addresses.last(after: 2)
        for _ in 0..<4 { failing.fail() }
        let outcome = try await run.outcome()
        guard case .handlerFailed(0, let cause) = outcome else { throw UnexpectedOutcome(outcome) }
        #expect(cause is Refusal)
        #expect(calls.value == 4, "once, and three restarts")
    }

    /// One that ran for long begins a new row.
    @Test func isForgivenAfterACalmTime() async throws {
        var configuration = Self.restarting(1)
        configuration.restarts.calm = .zero
        let failing = FailingServer(times: 5)
        let run = SupervisedRun(makeSupervisor(1, configuration)) { try await failing.handle($0) }
        _ = try await failing.addresses.last(after: 1)
        for _ in 0..<5 {
            failing.fail()
            _ = try await failing.addresses.last(after: 1)
        }
        try await run.drain()
    }

    @Test func isNotCalledAgainOnceTheDrainHasBegun() async throws {
        var configuration = Self.restarting()
        configuration.restarts.delay = .seconds(3_600)
        configuration.restarts.delayMax = .seconds(3_600)
        let supervisor = makeSupervisor(1, configuration)
        let calls = SharedCount()
        let failed = EventGate()
        let run = SupervisedRun(supervisor) { shard in
            calls.add()
            try await failAfterServing(shard)
            failed.open()
            throw Refusal()
        }
        try await failed.opened("a handler that throws")
        try await run.drain()
        #expect(calls.value == 1)
    }

    /// They wait in the backlog while nobody accepts, and are served, not reset.
    @Test(arguments: [1, 2])
    func leavesClientsInItsBacklogToTheNextCall(_ shardCount: Int) async throws {
        let calls = SharedCount()
        let isDown = EventGate()
        let mayRestart = Mutex(false)
        let addresses = Addresses()
        let run = SupervisedRun(makeSupervisor(shardCount, Self.restarting())) { shard in
            let listener = try shard.listen()
            if calls.add() <= shardCount {
                addresses.add(listener.address)
                try await failAfterServing(shard, listener)
                isDown.open()
                throw Refusal()
            }
            while !mayRestart.withLock({ $0 }) { try await shard.sleep(for: .milliseconds(1)) }
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: shardCount)
        for _ in 0..<shardCount { try await isDown.opened("a handler that throws") }
        try await onThread {
            let clients = try (0..<50).map { _ in try BlockingClient(to: address) }
            for client in clients { try client.send([1, 2, 3]) }
            mayRestart.withLock { $0 = true }
            for client in clients { #expect(try client.receive(3) == [1, 2, 3]) }
        }
        try await run.drain()
    }

    /// The kernel would go on giving it clients, who would wait for ever.
    @Test func thatReturnsLeavesNoSocketListening() async throws {
        let returned = EventGate()
        let addresses = Addresses()
        let run = SupervisedRun(makeSupervisor(2)) { shard in
            let listener = try shard.listen()
            addresses.add(listener.address)
            if shard.index == 1 { return returned.open() }
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: 2)
        try await returned.opened("a handler that returns")
        try await eventually("its socket is closed") { countListening(on: address) == 1 }
        try await onThread {
            for _ in 0..<20 { try BlockingClient(to: address).exchange([1, 2, 3]) }
        }
        try await run.drain()
    }
}

/// Serves, is cancelled, and returns: what a handler that fails later has done before.
private func failAfterServing(_ shard: Shard, _ given: Listener? = nil) async throws {
    let listener = try given ?? shard.listen()
    await withTaskGroup(of: Void.self) { group in
        group.addTask { try? await listener.serve(echo) }
        while shard.state.sessions.isEmpty { await Task.yield() }
        group.cancelAll()
    }
}

/// A server whose handler on shard 0 throws when it is told to.
private final class FailingServer: Sendable {
    let addresses = Addresses()
    private let orders = Mutex(0)
    private let times: Int

    init(times: Int) {
        self.times = times
    }

    func fail() {
        orders.withLock { $0 += 1 }
    }

    private func takeOrder() -> Bool {
        orders.withLock { orders in
            guard orders > 0 else { return false }
            orders -= 1
            return true
        }
    }

    func handle(_ shard: Shard) async throws {
        let listener = try shard.listen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.serve(echo) }
            while shard.state.sessions.isEmpty { await Task.yield() }
            addresses.add(listener.address)
            if shard.index == 0 {
                while try !shard.isDraining, !takeOrder() {
                    try await shard.sleep(for: .milliseconds(1))
                }
                if try !shard.isDraining { throw HandlerTests.Refusal() }
            }
            try await group.next()
        }
    }
}
