import Testing
import UringTesting

@testable import UringEngine

@Suite struct LoopTimerTests {
    @Test func firesEqualDeadlinesInTheirOrder() throws {
        let fixture = try LoopFixture()
        var log: [Int] = []
        let deadline = Deadline.after(.milliseconds(5), from: fixture.driver.now())
        for number in 0..<10 { fixture.loop.callAt(deadline) { log.append(number) } }
        fixture.loop.callLater(.milliseconds(4)) { log.append(-1) }
        try fixture.tick()
        #expect(log.isEmpty)
        try fixture.advance(by: .milliseconds(5))
        #expect(log == [-1] + Array(0..<10))
        try fixture.expectBaseline()
    }

    @Test func freesACancelledTimerAtOnce() throws {
        let fixture = try LoopFixture()
        weak var captured: RecordingHandler?
        var handle: TimerHandle?
        do {
            let object = RecordingHandler()
            captured = object
            handle = fixture.loop.callLater(.seconds(1)) { object.log = [] }
        }
        #expect(captured != nil)
        handle?.cancel()
        #expect(captured == nil)
        #expect(fixture.loop.timers.count == 0)
        handle?.cancel()
        try fixture.advance(by: .seconds(2))
        try fixture.expectBaseline()
    }

    @Test func boundsTheTimersOfATick() throws {
        let fixture = try LoopFixture { $0.limits.timersPerTickMax = 3 }
        var count = 0
        for _ in 0..<8 { fixture.loop.callLater(.zero) { count += 1 } }
        for expected in [3, 6, 8] {
            try fixture.tick()
            #expect(count == expected)
        }
        try fixture.expectBaseline()
    }

    @Test func takesNegativeDelaysAsNone() throws {
        let fixture = try LoopFixture()
        var count = 0
        fixture.loop.callLater(.seconds(-5)) { count += 1 }
        try fixture.tick()
        #expect(count == 1)
        try fixture.expectBaseline()
    }

    @Test func waitsUntilTheNextDeadline() throws {
        let fixture = try LoopFixture()
        var count = 0
        let start = fixture.driver.now()
        fixture.loop.callLater(.milliseconds(7)) { count += 1 }
        fixture.loop.callLater(.milliseconds(3)) { count += 1 }
        try fixture.loop.runOnce(mayWait: true)
        #expect(fixture.driver.waits.last?.bound == .deadline(start + 3_000_000))
        try fixture.loop.runOnce(mayWait: true)
        #expect(count == 1)
        #expect(fixture.driver.waits.last?.bound == .poll, "a timer ran: the caller looks first")
        try fixture.loop.runOnce(mayWait: true)
        #expect(fixture.driver.waits.last?.bound == .deadline(start + 7_000_000))
        try fixture.tick()
        #expect(count == 2)
        try fixture.expectBaseline()
    }

    @Test func readsTheClockAnewWhileCompletionsAreUnread() throws {
        let fixture = try LoopFixture { $0.limits.completionsPerTickMax = 1 }
        let (peer, handler) = try fixture.connect()
        var count = 0
        fixture.loop.callLater(.milliseconds(1)) { count += 1 }
        for _ in 0..<6 { fixture.driver.deliver([1], on: peer) }
        try fixture.tick(2)
        fixture.driver.advance(by: .milliseconds(2))
        try fixture.tick()
        #expect(count == 1, "a busy queue does not stop the clock")
        try fixture.settle()
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func entersNothingWhenNothingIsToBeDone() throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        let enters = fixture.driver.metrics.enters
        try fixture.tick(100)
        #expect(fixture.driver.metrics.enters == enters)
        let error = #expect(throws: IOError.self) { try fixture.loop.runForever() }
        #expect(error?.detail?.contains("wait forever") == true)
        #expect(fixture.driver.metrics.enters == enters + 1, "one wait, without a deadline")
        #expect(fixture.driver.waits.last?.bound == .forever)
        try fixture.expectBaseline()
    }

    @Test func restsBuffersInQuarantine() throws {
        let fixture = try LoopFixture {
            $0.quarantine = .milliseconds(50)
            $0.bufferCount = 4
        }
        try fixture.advance(by: .milliseconds(50))
        #expect(fixture.driver.publishedBuffers.count == 4)
        let (peer, handler) = try fixture.connect()
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        #expect(fixture.driver.publishedBuffers.count == 3)
        try fixture.advance(by: .milliseconds(49))
        #expect(fixture.driver.publishedBuffers.count == 3)
        try fixture.loop.runOnce(mayWait: true)
        try fixture.settle()
        #expect(fixture.driver.publishedBuffers.count == 4)
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    /// What has rested and finds no place would be due at once, again and again.
    @Test func doesNotWakeForARestedBufferThatTheKernelHasNoPlaceFor() throws {
        let driver = ScriptedDriver(providedBuffersMax: 2)
        let fixture = try LoopFixture(driver) {
            $0.bufferCount = 8
            $0.quarantine = .milliseconds(50)
        }
        try fixture.tick(2)
        fixture.driver.advance(by: .milliseconds(60))
        try fixture.tick()
        #expect(fixture.driver.ownedBuffers.count == 2)
        fixture.loop.callLater(.seconds(1)) {}
        let deadline = driver.now() + 1_000_000_000
        try fixture.loop.runOnce(mayWait: true)
        #expect(driver.waits.last?.bound == .deadline(deadline))
    }
}
