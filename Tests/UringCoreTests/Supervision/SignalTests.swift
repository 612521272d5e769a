import Glibc
import Synchronization
import Testing

@testable import UringCore

/// Signals that drain, and those that are the program's own: SIGUSR1 and SIGUSR2 here.
@Suite("Signals of a supervisor", .serialized)
struct SignalTests {
    private func waiting(
        _ configuration: Configuration,
        _ running: EventGate
    ) async throws -> SupervisedRun {
        let run = SupervisedRun(makeSupervisor(2, configuration)) { shard in
            running.open()
            try await shard.untilDrain()
        }
        for _ in 0..<2 { try await running.opened("a handler that runs") }
        return run
    }

    @Test(arguments: [SIGUSR1, SIGUSR2])
    func drainAndHaveTheirPreviousActionsAfterwards(_ signal: Int32) async throws {
        try await leavingNothing {
            let configuration = configured { $0.drainSignals = [SIGUSR1, SIGUSR2] }
            let run = try await waiting(configuration, EventGate())
            kill(getpid(), signal)
            try await run.expectEnd()
        }
    }

    @Test func haveTheirPreviousActionsFromTheFirstOn() async throws {
        CountedSignals.catchThem()
        defer { CountedSignals.release() }
        try await leavingNothing {
            let supervisor = makeSupervisor(1, configured { $0.drainSignals = [SIGUSR1, SIGUSR2] })
            let running = EventGate()
            let draining = EventGate()
            let release = EventGate()
            let run = SupervisedRun(supervisor) { shard in
                running.open()
                try await shard.untilDrain()
                draining.open()
                try release.wait("the second signal")
            }
            try await running.opened("a handler that runs")
            let before = CountedSignals.count
            kill(getpid(), SIGUSR1)
            try await draining.opened("the drain")
            #expect(CountedSignals.count == before, "the first was the supervisor's")
            for (number, signal) in [SIGUSR1, SIGUSR2].enumerated() {
                kill(getpid(), signal)
                try await eventually("the program's own action") {
                    CountedSignals.count == before + number + 1
                }
            }
            release.open()
            try await run.expectEnd()
        }
    }

    @Test func areLeftToAProgramThatWantsThem() async throws {
        CountedSignals.catchThem()
        defer { CountedSignals.release() }
        try await leavingNothing {
            let before = try await ProcessRemains.now().actions
            let run = try await waiting(configured(), EventGate())
            #expect(try await ProcessRemains.now().actions == before)
            let count = CountedSignals.count
            kill(getpid(), SIGUSR1)
            try await eventually("the program's own action") { CountedSignals.count == count + 1 }
            #expect(await run.supervisor.snapshot().count == 2, "it runs on")
            try await run.drain()
        }
    }

    @Test func cannotBelongToTwoSupervisors() async throws {
        try await leavingNothing {
            let configuration = configured { $0.drainSignals = [SIGUSR1] }
            let first = try await waiting(configuration, EventGate())
            let calls = SharedCount()
            let second = SupervisedRun(makeSupervisor(2, configuration)) { _ in calls.add() }
            let outcome = try await second.outcome()
            guard case .signalsUnavailable(let cause) = outcome else {
                throw UnexpectedOutcome(outcome)
            }
            #expect(cause.errno == .busy)
            #expect(calls.value == 0)
            kill(getpid(), SIGUSR1)
            try await first.expectEnd()
        }
    }

    @Test(arguments: [[SIGUSR1, SIGKILL], [SIGUSR1, SIGUSR1], [0], [-1]])
    func thatCannotBeCaughtFailTheStart(_ signals: [Int32]) async throws {
        try await leavingNothing {
            let run = SupervisedRun(makeSupervisor(1, configured { $0.drainSignals = signals })) {
                _ in
            }
            let outcome = try await run.outcome()
            guard case .signalsUnavailable = outcome else { throw UnexpectedOutcome(outcome) }
        }
    }

    /// They meet a run at any time, its start and its end among them.
    @Test func inAnyNumberLoseNothingOfTheProcess() async throws {
        CountedSignals.catchThem()
        defer { CountedSignals.release() }
        try await leavingNothing {
            let isOver = SharedCount()
            let storm = Task {
                try await onThread {
                    while isOver.value == 0 {
                        kill(getpid(), SIGUSR1)
                        sched_yield()
                    }
                }
            }
            for _ in 0..<30 {
                let supervisor = makeSupervisor(1, configured { $0.drainSignals = [SIGUSR1] })
                try await SupervisedRun(supervisor) { try await $0.untilDrain() }.expectEnd()
            }
            isOver.add()
            try await storm.value
        }
    }
}

/// The program's own action of SIGUSR1 and SIGUSR2.
private enum CountedSignals {
    private static let counter = Atomic(0)

    static var count: Int { counter.load(ordering: .relaxed) }

    static func catchThem() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            CountedSignals.counter.add(1, ordering: .relaxed)
        }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESTART))
        for signal in [SIGUSR1, SIGUSR2] { sigaction(signal, &action, nil) }
    }

    static func release() {
        for signal in [SIGUSR1, SIGUSR2] { Glibc.signal(signal, SIG_DFL) }
    }
}
