import Glibc
import Testing
import UringTesting

@testable import UringCore
@testable import UringEngine

/// The i-th operation or control verb of async code fails, for every i that there is.
@Suite("Async code on a failing kernel", .serialized)
struct ShardFaultTests {
    @Test(arguments: ShardScenario.all)
    func tellsTheStoryAsItIsWithoutAFault(scenario: ShardScenario) async throws {
        for _ in 0..<3 { _ = try await usedFaults(scenario, [], "\(scenario.name)") }
    }

    @Test(arguments: ShardScenario.all, Fault.Moment.allCases)
    func endsWellWhateverFails(scenario: ShardScenario, moment: Fault.Moment) async throws {
        for number in 1...1_000 {
            let cell = "\(scenario.name), \(moment.rawValue), number \(number)"
            let count = try await usedFaults(scenario, [.failAfter(number, moment)], cell)
            if count == 0 { return }
        }
        Issue.record("\(scenario.name) has no end")
    }

    /// Tells a scenario once; `withShards` expects that nothing is left of it.
    ///
    /// - Returns: how many faults there were.
    private func usedFaults(
        _ scenario: ShardScenario,
        _ rules: [FaultRule],
        _ cell: String
    ) async throws -> Int {
        let plan = FaultPlan(rules, isArmed: false)
        try await withShards(
            scenario.shardCount,
            expectsCallbackErrors: true,
            faults: plan,
            configure: Self.shrink
        ) { run in
            plan.arm()
            await judge(plan, cell) { try await scenario.body(run) }
            plan.disarm()
            await judge(plan, cell) { try await expectService(by: run) }
        }
        return plan.usedCount
    }

    private static func shrink(_ configuration: inout Configuration) {
        configuration.loop.bufferCount = 16
        configuration.loop.bufferBytes = 1_024
    }

    /// An end is fine when something went wrong; a hang and a wrong byte never are.
    private func judge(_ plan: FaultPlan, _ cell: String, _ part: () async throws -> Void) async {
        do {
            try await part()
        } catch {
            let isHonest =
                switch error {
                case is EndedEarly, is IOError, is CancellationError: true
                case let error as ClientError: error.code != EAGAIN
                default: false
                }
            let isExcused = isHonest && plan.usedCount > 0
            #expect(isExcused, "\(cell), after \(plan.usedCount) faults: \(error)")
        }
    }

    /// The shards serve the next as if nothing had been.
    private func expectService(by run: ShardedRun) async throws {
        let address = try await run.begin(echo)
        try await run.client(of: address) { client in
            for _ in 0..<20 {
                do {
                    try client.echo(pattern(1_000))
                } catch is EndedEarly {
                    throw WrongBytes()
                }
            }
        }
    }
}
