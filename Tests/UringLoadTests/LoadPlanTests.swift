import Testing
import UringCore

@testable import UringLoad

@Suite("A load plan")
struct LoadPlanTests {
    private func plan(_ change: (inout LoadPlan) -> Void) -> LoadPlan {
        var plan = LoadPlan()
        change(&plan)
        return plan
    }

    private func expectRefusal(_ name: String, _ change: (inout LoadPlan) -> Void) {
        let plan = plan(change)
        let error = #expect(throws: ConfigurationError.self) { try plan.check() }
        #expect(error?.variable == name)
    }

    @Test func acceptsBothEndsOfEveryBound() throws {
        for connections in [1, 100_000] { try plan { $0.connections = connections }.check() }
        for bytes in [1, 16_777_216] { try plan { $0.messageBytes = bytes }.check() }
        for pipeline in [1, 1_024] { try plan { $0.pipeline = pipeline }.check() }
        for rate in [1, 1_000_000] { try plan { $0.rate = rate }.check() }
        for seconds in [1e-9, 0.5, 3_600] { try plan { $0.seconds = seconds }.check() }
    }

    @Test func refusesWhatLiesOutsideAndNamesTheArgument() {
        for value in [Int.min, -1, 0] {
            expectRefusal("--connections") { $0.connections = value }
            expectRefusal("--bytes") { $0.messageBytes = value }
            expectRefusal("--pipeline") { $0.pipeline = value }
            expectRefusal("--rate") { $0.rate = value }
        }
        expectRefusal("--connections") { $0.connections = 100_001 }
        expectRefusal("--bytes") { $0.messageBytes = 16_777_217 }
        expectRefusal("--pipeline") { $0.pipeline = 1_025 }
        expectRefusal("--rate") { $0.rate = 1_000_001 }
        expectRefusal("--connections") { $0.connections = .max }
        for seconds in [0, -1, 3_600.1, .infinity, .nan] {
            expectRefusal("--seconds") { $0.seconds = seconds }
        }
    }

    @Test func boundsWhatAClosedLoopKeepsInMemory() throws {
        expectRefusal("--pipeline") { ($0.connections, $0.pipeline) = (100_000, 1_024) }
        try plan { ($0.connections, $0.pipeline, $0.rate) = (100_000, 1_024, 1) }.check()
    }

    @Test func waitsForEachAnswerOnlyInAClosedLoop() {
        #expect(plan { _ in }.pipelineDepth == 1)
        #expect(plan { $0.rate = 5 }.pipelineDepth == 1_024)
        #expect(plan { ($0.rate, $0.pipeline) = (5, 2) }.pipelineDepth == 2)
    }

    @Test func isSharedEvenlyByTheWorkers() throws {
        let plan = plan { $0.connections = 1_003 }
        let job = LoadJob(plan, to: try LoadTarget("[::1]:1"), drainLimit: .zero)
        for workerCount in [1, 2, 7, 64] {
            let shares = (0..<workerCount).map { job.numbers(ofWorker: $0, of: workerCount) }
            #expect(shares.flatMap { Array($0) } == Array(0..<1_003))
            let sizes = shares.map(\.count)
            #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        }
    }
}
