import Testing
import UringTesting

@testable import UringEngine

/// A loop that looks for work a while before it parks.
@Suite struct LoopSpinTests {
    private func spinning(_ spin: Duration = .microseconds(100)) throws -> LoopFixture {
        try LoopFixture { $0.spin = spin }
    }

    private func polls(_ fixture: LoopFixture) -> Int {
        fixture.driver.waits.count { $0.bound == .poll }
    }

    @Test func doesNotLookWithoutBeingTold() throws {
        let fixture = try spinning(.zero)
        fixture.driver.onIdle = { $0.interruptNextWait() }
        try fixture.loop.runOnce(mayWait: true)
        #expect(fixture.driver.waits.map(\.bound) == [.forever])
        fixture.driver.onIdle = nil
        try fixture.expectBaseline()
    }

    @Test func parksAfterTheTime() throws {
        let fixture = try spinning()
        fixture.driver.onPoll = { $0.advance(by: .microseconds(30)) }
        fixture.driver.onIdle = { $0.interruptNextWait() }
        let start = fixture.driver.now()
        try fixture.loop.runOnce(mayWait: true)
        #expect(fixture.driver.now() - start == 120_000)
        #expect(fixture.driver.waits.map(\.bound) == [.poll, .poll, .poll, .poll, .forever])
        fixture.driver.onPoll = nil
        fixture.driver.onIdle = nil
        try fixture.expectBaseline()
    }

    @Test func takesACompletionWithoutParking() throws {
        let fixture = try spinning()
        let (peer, handler) = try fixture.connect()
        fixture.driver.onPoll = { driver in
            driver.onPoll = nil
            driver.deliver([1, 2, 3], on: peer)
        }
        let before = fixture.driver.waits.count
        try fixture.loop.runOnce(mayWait: true)
        #expect(handler.received == [1, 2, 3])
        #expect(fixture.driver.waits[before...].map(\.bound) == [.poll])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func takesAPostWithoutAWake() throws {
        let fixture = try spinning()
        let loop = fixture.loop
        nonisolated(unsafe) var count = 0
        fixture.driver.onPoll = { driver in
            driver.onPoll = nil
            runOnThreads(1) { _ in loop.callSoonThreadsafe { count += 1 } }
        }
        try loop.runOnce(mayWait: true)
        #expect(fixture.driver.wakeCount == 0)
        #expect(!fixture.driver.waits.contains { $0.bound == .forever })
        try fixture.tick()
        #expect(count == 1)
        try fixture.expectBaseline()
    }

    /// The hint may show late; the lock that parking takes never does.
    @Test func losesNoPostBetweenLookingAndParking() throws {
        let fixture = try spinning()
        let loop = fixture.loop
        nonisolated(unsafe) var count = 0
        // The time is over with the look in which the post comes.
        fixture.driver.onPoll = { driver in
            driver.onPoll = nil
            driver.advance(by: .microseconds(100))
            loop.callSoonThreadsafe { count += 1 }
        }
        try loop.runOnce(mayWait: true)
        #expect(!fixture.driver.waits.contains { $0.bound == .forever })
        try fixture.tick()
        #expect(count == 1)
        #expect(fixture.driver.wakeCount == 0)
        try fixture.expectBaseline()
    }

    @Test func wakesForAPostWhenItHasParked() throws {
        let fixture = try spinning()
        let loop = fixture.loop
        nonisolated(unsafe) var count = 0
        fixture.driver.onPoll = { $0.advance(by: .microseconds(100)) }
        fixture.driver.onIdle = { _ in loop.callSoonThreadsafe { count += 1 } }
        try loop.runOnce(mayWait: true)
        #expect(fixture.driver.wakeCount == 1)
        fixture.driver.onPoll = nil
        fixture.driver.onIdle = nil
        try fixture.tick()
        #expect(count == 1)
        try fixture.expectBaseline()
    }

    @Test func endsAtATimer() throws {
        let fixture = try spinning(.milliseconds(10))
        let start = fixture.driver.now()
        var firedAt: UInt64?
        fixture.loop.callLater(.microseconds(50)) { firedAt = fixture.driver.now() }
        fixture.driver.onPoll = { $0.advance(by: .microseconds(20)) }
        while firedAt == nil { try fixture.loop.runOnce(mayWait: true) }
        #expect(firedAt == start + 60_000, "the first look after the deadline")
        fixture.driver.onPoll = nil
        try fixture.expectBaseline()
    }

    @Test func handsOverWhatWasPreparedBeforeItLooks() throws {
        let fixture = try spinning()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1, 2, 3])
        var sends = 0
        fixture.driver.onPoll = { driver in
            sends = driver.inFlight(of: .send, on: peer).count
            driver.onPoll = nil
            driver.completeSend(on: peer, .all)
        }
        fixture.driver.onIdle = { $0.interruptNextWait() }
        while sends == 0 { try fixture.loop.runOnce(mayWait: true) }
        #expect(sends == 1)
        fixture.driver.onIdle = nil
        try fixture.settle()
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func doesNotLookWhileThereIsWork() throws {
        let fixture = try spinning()
        let before = polls(fixture)
        fixture.loop.callSoon { fixture.loop.callSoon {} }
        fixture.driver.onPoll = { _ in }
        try fixture.tick()
        #expect(polls(fixture) - before == 1, "the tick's own")
        fixture.driver.onPoll = nil
        try fixture.expectBaseline()
    }

    @Test func countsAsParkedToAWatchdog() throws {
        let fixture = try spinning()
        let heartbeat = fixture.loop.heartbeat
        nonisolated(unsafe) var seen: [Bool] = []
        fixture.loop.callSoon { seen.append(heartbeat.isParked) }
        try fixture.loop.runOnce(mayWait: true)
        fixture.driver.onPoll = { driver in
            driver.onPoll = nil
            seen.append(heartbeat.isParked)
            fixture.loop.callSoonThreadsafe { seen.append(heartbeat.isParked) }
        }
        try fixture.loop.runOnce(mayWait: true)
        try fixture.tick()
        #expect(seen == [false, true, false])
        try fixture.expectBaseline()
    }

    @Test func passesAnErrorOfTheDriverOn() throws {
        let fixture = try spinning()
        fixture.driver.failNext(.wait, with: .badDescriptor)
        let error = #expect(throws: IOError.self) { try fixture.loop.runOnce(mayWait: true) }
        #expect(error?.errno == .badDescriptor)
        try fixture.expectBaseline()
    }
}
