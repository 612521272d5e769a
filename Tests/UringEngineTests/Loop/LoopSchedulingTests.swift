import Testing
import UringTesting

@testable import UringEngine

@Suite struct LoopSchedulingTests {
    private struct Failure: Error {}

    @Test func runsReadyJobsInOrderAndLeavesNewOnesForTheNextTick() throws {
        let fixture = try LoopFixture()
        let loop = fixture.loop
        var log: [Int] = []
        loop.callSoon {
            log.append(1)
            loop.callSoon { log.append(3) }
        }
        loop.callSoon { log.append(2) }
        try fixture.tick()
        #expect(log == [1, 2])
        try fixture.tick()
        #expect(log == [1, 2, 3])
        try fixture.expectBaseline()
    }

    @Test func runsPostedJobsBeforeReadyOnes() throws {
        let fixture = try LoopFixture()
        nonisolated(unsafe) var log: [String] = []
        fixture.loop.callSoon { log.append("ready") }
        for number in 0..<3 { fixture.loop.callSoonThreadsafe { log.append("posted \(number)") } }
        try fixture.tick()
        #expect(log == ["posted 0", "posted 1", "posted 2", "ready"])
        try fixture.expectBaseline()
    }

    @Test func takesPostsFromThreads() throws {
        let fixture = try LoopFixture()
        nonisolated(unsafe) var log: [[Int]] = Array(repeating: [], count: 4)
        let loop = fixture.loop
        runOnThreads(4) { thread in
            for number in 0..<500 { loop.callSoonThreadsafe { log[thread].append(number) } }
        }
        try fixture.settle()
        for posts in log { #expect(posts == Array(0..<500), "in each thread's order") }
        #expect(fixture.driver.wakeCount == 0, "the loop was not parked")
        try fixture.expectBaseline()
    }

    @Test func wakesAParkedLoopOnce() throws {
        let fixture = try LoopFixture()
        nonisolated(unsafe) var count = 0
        let loop = fixture.loop
        fixture.driver.onIdle = { _ in
            runOnThreads(3) { _ in
                for _ in 0..<10 { loop.callSoonThreadsafe { count += 1 } }
            }
        }
        try loop.runOnce(mayWait: true)
        fixture.driver.onIdle = nil
        #expect(fixture.driver.wakeCount == 1)
        try fixture.tick()
        #expect(count == 30)
        try fixture.expectBaseline()
    }

    @Test func boundsTheReadyJobsOfATick() throws {
        let fixture = try LoopFixture { $0.limits.jobsPerTickMax = 10 }
        var count = 0
        for _ in 0..<25 { fixture.loop.callSoon { count += 1 } }
        for expected in [10, 20, 25] {
            try fixture.tick()
            #expect(count == expected)
        }
        try fixture.expectBaseline()
    }

    @Test func endsTheJobsOfATickWhenTheirTimeIsOver() throws {
        let fixture = try LoopFixture()
        var count = 0
        for _ in 0..<300 {
            fixture.loop.callSoon {
                count += 1
                fixture.driver.advance(by: .microseconds(100))
            }
        }
        try fixture.tick()
        #expect(count < 300)
        #expect(count <= 64, "the clock is read every 64 jobs")
        try fixture.settle()
        #expect(count == 300)
        try fixture.expectBaseline()
    }

    @Test func takesAScheduledJobBack() throws {
        let fixture = try LoopFixture()
        var log: [Int] = []
        let first = fixture.loop.callSoonWithHandle { log.append(1) }
        let second = fixture.loop.callSoonWithHandle { log.append(2) }
        #expect(!first.isDone)
        first.cancel()
        #expect(first.isDone)
        try fixture.tick()
        #expect(log == [2])
        #expect(second.isDone)
        second.cancel()
        try fixture.expectBaseline()
    }

    @Test func reportsWhatJobsThrowAndGoesOn() throws {
        let fixture = try LoopFixture()
        nonisolated(unsafe) var count = 0
        fixture.loop.callSoon { throw Failure() }
        fixture.loop.callSoonThreadsafe { throw Failure() }
        _ = fixture.loop.callSoonWithHandle { throw Failure() }
        fixture.loop.callLater(.zero) { throw Failure() }
        fixture.loop.callSoon { count += 1 }
        try fixture.tick()
        #expect(count == 1)
        #expect(fixture.failures.map(\.origin) == [.job, .timer, .job, .job])
        try fixture.expectBaseline()
    }

    @Test func logsWhatIsThrownUnlessTold() throws {
        nonisolated(unsafe) var lines: [String] = []
        var options = LoopOptions()
        options.memoryLock = .off
        options.log = { lines.append($0) }
        let loop = try EventLoop(driver: .custom(ScriptedDriver()), options: options)
        loop.callSoon { throw IOError(.write, reason: .closed) }
        try loop.runOnce()
        #expect(lines == ["a job callback threw: write failed: already closed"])
        #expect(loop.shutDown() == 0)
    }

    @Test func runsUntilItIsStopped() throws {
        let fixture = try LoopFixture()
        let loop = fixture.loop
        var ticks = 0
        fixture.driver.onIdle = { driver in
            ticks += 1
            if ticks == 3 { loop.callSoonThreadsafe { loop.stop() } }
            driver.interruptNextWait()
        }
        try fixture.loop.runForever()
        #expect(ticks == 3)
        fixture.driver.onIdle = nil
        try fixture.expectBaseline()
    }

    @Test func passesAnErrorOfTheWaitOn() throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.wait, with: .badDescriptor)
        let error = #expect(throws: IOError.self) { try fixture.loop.runForever() }
        #expect(error?.errno == .badDescriptor)
        try fixture.expectBaseline()
    }

    @Test func trapsWhenItIsUsedFromAnotherThread() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop(driver: .custom(ScriptedDriver()))
            runOnThreads(1) { _ in loop.callSoon {} }
        }
    }

    @Test func aTickThatRanAJobDoesNotWaitAfterIt() throws {
        let fixture = try LoopFixture()
        var isDone = false
        fixture.loop.callSoon { isDone = true }
        // Waiting would be for ever, which the scripted kernel refuses.
        while !isDone { try fixture.loop.runOnce(mayWait: true) }
        #expect(fixture.driver.waits.last?.bound == .poll)
        try fixture.expectBaseline()
    }
}
