import Glibc
import Testing
import UringTesting

@testable import UringEngine

extension Integration {
    /// The i-th operation or control verb of a scenario fails, for every i that it has.
    @Suite("Failing after i") struct FailAfterTests {
        /// More than any scenario has of them.
        private static let numbersMax = 3_000

        @Test(arguments: FaultScenario.all)
        func tellsTheStoryAsItIsWithoutAFault(scenario: FaultScenario) throws {
            for _ in 0..<3 {
                let plan = FaultPlan()
                try FaultRun(scenario: scenario, plan: plan, cell: "\(scenario.name)").run()
                #expect(plan.usedCount == 0)
            }
        }

        @Test(arguments: FaultScenario.all, Fault.Moment.allCases)
        func endsWellWhateverFails(scenario: FaultScenario, moment: Fault.Moment) throws {
            for number in 1...Self.numbersMax {
                let plan = FaultPlan([.failAfter(number, moment)])
                let cell = "\(scenario.name), \(moment.rawValue), number \(number)"
                try FaultRun(scenario: scenario, plan: plan, cell: cell).run()
                if plan.usedCount == 0 { return }
            }
            Issue.record("\(scenario.name) has no end")
        }

        /// The same on every rung: minutes, so it is asked for by `URINGCORE_TEST_FAULTS=all`.
        @Test(.enabled(if: isExhaustive), arguments: Rung.all, FaultScenario.all)
        func endsWellOnEveryRung(rung: Rung, scenario: FaultScenario) throws {
            for moment in Fault.Moment.allCases {
                for number in 1...Self.numbersMax {
                    let plan = FaultPlan([.failAfter(number, moment)])
                    let cell = "\(rung.name): \(scenario.name), \(moment.rawValue), \(number)"
                    try FaultRun(scenario: scenario, plan: plan, cell: cell, rung: rung).run()
                    if plan.usedCount == 0 { break }
                }
            }
        }

        private static var isExhaustive: Bool {
            getenv("URINGCORE_TEST_FAULTS").map { String(cString: $0) } == "all"
        }
    }
}
