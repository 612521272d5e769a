import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedWaitTests {
    private let driver = ScriptedDriver()
    private var tokens = ScriptedTokens()

    private mutating func preparePoll() -> OperationToken {
        let token = tokens.next(.poll)
        let peer = driver.makeConnection()
        driver.poll(token, on: peer, events: .readable, isMultishot: true)
        return token
    }

    @Test func movesTheClockToADeadline() throws {
        let start = driver.now()
        driver.advance(by: .milliseconds(2))
        #expect(driver.now() == start + 2_000_000)
        try driver.submitAndWait(.deadline(start + 5_000_000))
        #expect(driver.now() == start + 5_000_000)
        try driver.submitAndWait(.deadline(start))
        #expect(driver.now() == start + 5_000_000, "the clock never goes back")
    }

    @Test mutating func leavesTheClockAloneWhenACompletionWaits() throws {
        let token = preparePoll()
        try driver.submitAndWait(.poll)
        driver.complete(token, result: 1)
        let start = driver.now()
        try driver.submitAndWait(.deadline(start + 1))
        try driver.submitAndWait(.forever)
        #expect(driver.now() == start)
    }

    @Test func refusesToWaitForever() {
        let error = #expect(throws: IOError.self) { try driver.submitAndWait(.forever) }
        #expect(error?.operation == .wait)
        #expect(error?.detail?.contains("the loop would wait forever") == true)
    }

    @Test mutating func letsIdleSupplyMore() throws {
        let token = preparePoll()
        driver.onIdle = { $0.complete(token, result: 1) }
        try driver.submitAndWait(.forever)
        #expect(driver.reapAll().map(\.token) == [token])
        driver.onIdle = { $0.waker.wake() }
        try driver.submitAndWait(.forever)
        #expect(driver.metrics.wakes == 1)
        driver.onIdle = { $0.interruptNextWait() }
        try driver.submitAndWait(.forever)
        driver.onIdle = nil
        #expect(throws: IOError.self) { try driver.submitAndWait(.forever) }
    }

    @Test func returnsOnceForAnyNumberOfWakes() throws {
        let start = driver.now()
        driver.waker.wake()
        driver.waker.wake()
        #expect(driver.isWakePending)
        try driver.submitAndWait(.deadline(start + 1))
        #expect(driver.now() == start)
        #expect(driver.wakeCount == 2)
        #expect(driver.metrics.wakes == 1)
        #expect(!driver.isWakePending)
        try driver.submitAndWait(.deadline(start + 1))
        #expect(driver.now() == start + 1)
    }

    @Test func keepsAWakeThatNoEnterCouldSee() throws {
        driver.waker.wake()
        try driver.submitAndWait(.poll)
        #expect(driver.isWakePending)
        try driver.submitAndWait(.forever)
        #expect(!driver.isWakePending)
    }

    @Test func returnsEarlyForASignal() throws {
        driver.interruptNextWait()
        try driver.submitAndWait(.forever)
        #expect(throws: IOError.self) { try driver.submitAndWait(.forever) }
    }

    @Test func throwsWhatWasScripted() throws {
        driver.failNext(.wait, with: .badDescriptor)
        let error = #expect(throws: IOError.self) { try driver.submitAndWait(.poll) }
        #expect(error?.errno == .badDescriptor)
        try driver.submitAndWait(.poll)
    }

    @Test mutating func countsAnEnterOnlyToHandOverOrToWait() throws {
        try driver.submitAndWait(.poll)
        #expect(driver.metrics.enters == 0)
        let token = preparePoll()
        _ = preparePoll()
        try driver.submitAndWait(.poll)
        #expect(driver.metrics.enters == 1)
        #expect(driver.metrics.submissions == 2)
        driver.complete(token, result: 1)
        try driver.submitAndWait(.forever)
        #expect(driver.metrics.enters == 1, "a completion waits already")
        #expect(driver.entersWithUnreadCompletions == 0)
        _ = preparePoll()
        try driver.submitAndWait(.forever)
        #expect(driver.metrics.enters == 2)
        #expect(driver.entersWithUnreadCompletions == 1)
        _ = driver.reapAll()
        try driver.submitAndWait(.deadline(0))
        #expect(driver.metrics.enters == 3)

        #expect(driver.waits.map(\.submissionCount) == [0, 2, 0, 1, 0])
        #expect(driver.waits.map(\.isEnter) == [false, true, false, true, true])
        #expect(driver.waits[3].hadUnreadCompletions)
        #expect(driver.waits[4].bound == .deadline(0))
    }
}
