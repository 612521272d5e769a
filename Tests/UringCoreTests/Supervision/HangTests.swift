import Dispatch
import Testing

@testable import UringCore
@testable import UringEngine

/// Handlers that do not end when they should.
@Suite("A handler that hangs", .serialized)
struct HangTests {
    private static func impatient() -> Configuration {
        configured {
            $0.drainTimeout = .milliseconds(20)
            $0.cancellationGrace = .milliseconds(200)
        }
    }

    @Test func inItsThreadIsNamedAndLetsTheOthersEnd() async throws {
        try await leavingNothing {
            let release = EventGate()
            let ended = SharedList<Int>()
            let running = EventGate()
            let run = SupervisedRun(makeSupervisor(3, Self.impatient())) { shard in
                running.open()
                if shard.index == 1 {
                    try release.wait("the end of a hang")
                } else {
                    try await shard.untilDrain()
                }
                ended.append(shard.index)
            }
            for _ in 0..<3 { try await running.opened("a handler that runs") }
            run.supervisor.drain()
            let outcome = try await run.outcome()
            guard case .drainTimedOut([1]) = outcome else { throw UnexpectedOutcome(outcome) }
            #expect(ended.all.sorted() == [0, 2])
            // It ends late, and so does its thread.
            release.open()
        }
    }

    @Test func inSpiteOfItsCancellationIsNamedAndEndsItsShardLater() async throws {
        try await leavingNothing {
            let release = EventGate()
            let running = EventGate()
            let cancelled = EventGate()
            let run = SupervisedRun(makeSupervisor(2, Self.impatient())) { shard in
                running.open()
                guard shard.index == 0 else { return try await shard.untilDrain() }
                await withTaskCancellationHandler {
                    await unsafe withUnsafeContinuation {
                        (continuation: UnsafeContinuation<Void, Never>) in
                        DispatchQueue.global().async {
                            try? release.wait("the end of a hang")
                            continuation.resume()
                        }
                    }
                } onCancel: {
                    cancelled.open()
                }
                #expect(shard.isCurrent, "its loop has gone on")
            }
            for _ in 0..<2 { try await running.opened("a handler that runs") }
            run.supervisor.drain()
            let outcome = try await run.outcome()
            guard case .drainTimedOut([0]) = outcome else { throw UnexpectedOutcome(outcome) }
            try await cancelled.opened("the cancellation")
            release.open()
        }
    }

    @Test func doesNotKeepTheSupervisorFromAnotherRun() async throws {
        let release = EventGate()
        let running = EventGate()
        let supervisor = makeSupervisor(1, Self.impatient())
        let first = SupervisedRun(supervisor) { _ in
            running.open()
            try release.wait("the end of a hang")
        }
        try await running.opened("a handler that runs")
        supervisor.drain()
        let outcome = try await first.outcome()
        guard case .drainTimedOut([0]) = outcome else { throw UnexpectedOutcome(outcome) }
        let second = SupervisedRun(supervisor) { _ in running.open() }
        try await running.opened("a second run")
        try await second.expectEnd()
        release.open()
    }

    @Test func untilTheDrainsLimitIsCancelledAndEndsWell() async throws {
        try await leavingNothing {
            let running = EventGate()
            let run = SupervisedRun(makeSupervisor(2, Self.impatient())) { shard in
                running.open()
                try await shard.sleep(for: .seconds(3_600))
            }
            for _ in 0..<2 { try await running.opened("a handler that runs") }
            try await run.drain()
        }
    }

    /// A connection's handler, here: it is cancelled with the serving task.
    @Test func onAConnectionIsCancelledAtTheDrainsLimit() async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let connected = EventGate()
            let run = SupervisedRun(makeSupervisor(2, Self.impatient())) { shard in
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve { connection in
                    connected.open()
                    try await connection.shard.sleep(for: .seconds(3_600))
                }
            }
            let address = try await addresses.last(after: 2)
            let client = try await onThread { try BlockingClient(to: address) }
            try await connected.opened("a connection")
            try await run.drain()
            #expect(try await onThread { try client.ending() } == .reset)
            client.close()
        }
    }

    /// Tasks that nobody waits for must not wait for ever on a shard that is gone.
    @Test func inATaskOfItsOwnEndsWithTheShard() async throws {
        let alive = SharedCount()
        let started = EventGate()
        let outcomes = SharedList<String>()
        @Sendable func begin(
            on shard: Shard,
            _ wait: @escaping @Sendable () async throws -> Void
        ) {
            let token = CountedToken(alive)
            Task(executorPreference: shard.executor) {
                started.open()
                do {
                    try await wait()
                } catch {
                    outcomes.append("\(error)")
                }
                withExtendedLifetime(token) {}
            }
        }
        let run = SupervisedRun(makeSupervisor(1)) { shard in
            let listener = try shard.listen()
            begin(on: shard) { try await shard.sleep(for: .seconds(3_600)) }
            begin(on: shard) { try await listener.serve(echo) }
            begin(on: shard) { try await shard.untilDrain() }
            while shard.state.sessions.isEmpty || shard.state.drainWaiters.isEmpty {
                await Task.yield()
            }
        }
        for _ in 0..<3 { try await started.opened("a task of its own") }
        try await run.expectEnd()
        try await eventually("all tasks have ended") { alive.value == 0 }
        #expect(
            outcomes.all == ["sleep failed: already closed: shard 0 has ended"],
            "the others drained"
        )
    }
}
