import Testing

@testable import UringCore
@testable import UringEngine

/// When a run begins, drains and ends.
@Suite("A run of a supervisor", .serialized)
struct RunTests {
    @Test func returnsWhenEveryHandlerHas() async throws {
        try await leavingNothing {
            let shards = SharedList<Int>()
            let run = SupervisedRun(makeSupervisor(3)) { shards.append($0.index) }
            try await run.expectEnd()
            #expect(shards.all.sorted() == [0, 1, 2])
        }
    }

    @Test func goesOnWhenAHandlerOfSeveralReturns() async throws {
        let supervisor = makeSupervisor(3)
        let returned = EventGate()
        let addresses = Addresses()
        let run = SupervisedRun(supervisor) { shard in
            if shard.index == 1 { return returned.open() }
            let listener = try shard.listen()
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
        try await returned.opened("a handler that returns")
        let address = try await addresses.last(after: 2)
        try await onThread {
            for _ in 0..<20 { try BlockingClient(to: address).exchange([1, 2, 3]) }
        }
        try await run.drain()
    }

    @Test func drainsWhenItsTaskIsCancelled() async throws {
        let running = EventGate()
        let run = SupervisedRun(makeSupervisor(2)) { shard in
            running.open()
            try await shard.untilDrain()
        }
        for _ in 0..<2 { try await running.opened("a handler that runs") }
        run.cancel()
        try await run.expectEnd()
    }

    @Test func drainsAtOnceInACancelledTask() async throws {
        let run = SupervisedRun(makeSupervisor(2)) { try await $0.untilDrain() }
        run.cancel()
        try await run.expectEnd()
    }

    @Test func isNotTouchedByADrainBeforeIt() async throws {
        let supervisor = makeSupervisor(2)
        supervisor.drain()
        let running = EventGate()
        let run = SupervisedRun(supervisor) { shard in
            running.open()
            #expect(try !shard.isDraining)
            try await shard.untilDrain()
        }
        for _ in 0..<2 { try await running.opened("a handler that runs") }
        try await run.drain()
    }

    @Test func drainsWhenItIsAskedToWhileItStarts() async throws {
        try await leavingNothing {
            let holder = SharedList<Supervisor>()
            let supervisor = makeSupervisor(2) { (_, options) throws(IOError) in
                holder.all.first?.drain()
                return try EventLoop(options)
            }
            holder.append(supervisor)
            defer { holder.removeAll() }
            let run = SupervisedRun(supervisor) { try await $0.untilDrain() }
            try await run.expectEnd()
        }
    }

    @Test func drainsWhenItIsAskedToWhileItStartsAgainForWantOfMemory() async throws {
        let holder = SharedList<Supervisor>()
        let attempts = [SharedCount(), SharedCount()]
        let supervisor = makeSupervisor(2) { (index, options) throws(IOError) in
            let isFirst = attempts[index].add() == 1
            if isFirst, index == 1 { throw IOError(.setUpRing, errno: .noMemory) }
            let loop = try EventLoop(options)
            /// Asks while all are taken down: in the last job of a loop that was stopped.
            @Sendable func askAtTheEnd() {
                if !loop.callSoonThreadsafe({ askAtTheEnd() }) { holder.all.first?.drain() }
            }
            if isFirst { askAtTheEnd() }
            return loop
        }
        holder.append(supervisor)
        defer { holder.removeAll() }
        let run = SupervisedRun(supervisor) { try await $0.untilDrain() }
        try await run.expectEnd()
    }

    @Test func canFollowAnother() async throws {
        try await leavingNothing {
            let supervisor = makeSupervisor(2)
            for _ in 0..<5 {
                let addresses = Addresses()
                let run = SupervisedRun(supervisor) { shard in
                    let listener = try shard.listen()
                    addresses.add(listener.address)
                    try await listener.serve(echo)
                }
                let address = try await addresses.last(after: 2)
                try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
                try await run.drain()
            }
        }
    }

    @Test func refusesASecondBesideIt() async throws {
        let supervisor = makeSupervisor(1)
        let running = EventGate()
        let first = SupervisedRun(supervisor) { shard in
            running.open()
            try await shard.untilDrain()
        }
        try await running.opened("a handler that runs")
        let second = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .alreadyRunning = second else { throw UnexpectedOutcome(second) }
        #expect(await supervisor.snapshot().count == 1, "the first goes on")
        try await first.drain()
    }

    /// A limit beyond what clocks can count is no limit.
    @Test(arguments: [Duration.seconds(Int64.max), .zero, .seconds(-1)])
    func takesAnyDrainLimit(_ limit: Duration) async throws {
        let supervisor = makeSupervisor(1, configured { $0.drainTimeout = limit })
        let running = EventGate()
        let run = SupervisedRun(supervisor) { shard in
            running.open()
            try await shard.untilDrain()
        }
        try await running.opened("a handler that runs")
        try await run.drain()
    }

    @Test func letsGoOfEverythingAtItsEnd() async throws {
        let supervisor = makeSupervisor(2)
        let alive = SharedCount()
        let loops = WeakLoops()
        let addresses = Addresses()
        try await {
            let token = CountedToken(alive)
            let run = SupervisedRun(supervisor) { shard in
                loops.add(shard.loop)
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve { connection in
                    try await echo(connection)
                    withExtendedLifetime(token) {}
                }
            }
            let address = try await addresses.last(after: 2)
            try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
            try await run.drain()
        }()
        try await loops.expectGone()
        // The task that ran the coordinator answers first, and lets go of the handler after that.
        try await eventually("nothing holds the handler any more") { alive.value == 0 }
    }
}

/// Loops that nobody may hold in the end.
final class WeakLoops: Sendable {
    private struct Weak: @unchecked Sendable {
        // Sendable: reading a weak reference is atomic.
        weak var loop: EventLoop?
    }

    private let loops = SharedList<Weak>()

    func add(_ loop: EventLoop) {
        loops.append(Weak(loop: loop))
    }

    /// The last task of a run may still be letting go.
    func expectGone() async throws {
        try await eventually("nothing holds a loop any more") {
            self.loops.all.allSatisfy { $0.loop == nil }
        }
    }
}
