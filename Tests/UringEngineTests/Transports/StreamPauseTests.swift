import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamPauseTests {
    private func fixture(answersCancels: Bool = true) throws -> LoopFixture {
        let driver = ScriptedDriver(answersCancels: answersCancels)
        driver.capabilities.receiveBudget = false
        return try LoopFixture(driver)
    }

    private func cancels(_ fixture: LoopFixture) -> Int {
        fixture.driver.operations(of: .cancel).count
    }

    private func finish(_ fixture: LoopFixture, _ handler: RecordingHandler) throws {
        handler.transport.abort()
        try fixture.settle()
        #expect(handler.log.last == "lost")
        try fixture.expectBaseline()
    }

    @Test func deliversNothingAndParks() throws {
        let fixture = try fixture()
        let (peer, handler) = try fixture.connect()
        fixture.driver.deliver([1], on: peer)
        handler.transport.pauseReading()
        fixture.driver.deliver([2, 3], on: peer)
        try fixture.settle()
        #expect(handler.log == ["made"])
        #expect(handler.transport.parkedPinnedBytes == 3, "a few bytes pin no buffer")
        #expect(fixture.loop.pool.lentCount == 0)
        #expect(fixture.driver.inFlight(of: .receive, on: peer).isEmpty)
        handler.transport.resumeReading()
        #expect(handler.log == ["made"], "never from inside a call")
        try fixture.settle()
        #expect(handler.log == ["made", "data 1", "data 2"])
        #expect(handler.transport.parkedPinnedBytes == 0)
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1)
        try finish(fixture, handler)
    }

    @Test func parksTheOvershootAndCancelsOnce() throws {
        let fixture = try fixture(answersCancels: false)
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        handler.transport.resumeReading()
        handler.transport.pauseReading()
        try fixture.settle()
        #expect(cancels(fixture) == 1)
        let overshoot = fixture.inputCap / 64 + 33
        let messages = (0..<overshoot).map { [UInt8](repeating: UInt8($0), count: 64) }
        for message in messages { fixture.driver.deliver(message, on: peer) }
        try fixture.settle()
        #expect(cancels(fixture) == 1, "a receive is cancelled once")
        #expect(handler.transport.parkedPinnedBytes == overshoot * 64)
        #expect(handler.log == ["made"])
        fixture.driver.fail(.receive, on: peer, with: .cancelled)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.complete(cancel.token, result: 0)
        try fixture.settle()
        #expect(fixture.driver.inFlight(of: .receive, on: peer).isEmpty)
        fixture.driver.answersCancels = true
        handler.transport.resumeReading()
        try fixture.settle()
        #expect(handler.received == Array(messages.joined()))
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1)
        try finish(fixture, handler)
    }

    @Test func staysQuietWhenItIsPausedWhileParkedBytesAreDelivered() throws {
        let fixture = try fixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        for number in 0..<6 { fixture.driver.deliver([UInt8(number)], on: peer) }
        try fixture.settle()
        handler.onData = { bytes, transport in
            let first = bytes.copyToArray()[0]
            if first % 2 == 1 { transport.pauseReading() }
        }
        for expected in [2, 4, 6] {
            handler.transport.resumeReading()
            try fixture.settle()
            #expect(handler.received.count == expected)
            #expect(handler.transport.parkedPinnedBytes == 6 - expected)
        }
        #expect(fixture.driver.inFlight(of: .receive, on: peer).isEmpty)
        handler.transport.resumeReading()
        try fixture.settle()
        #expect(handler.received == [0, 1, 2, 3, 4, 5])
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1)
        try finish(fixture, handler)
    }

    @Test func keepsNewBytesBehindTheParkedOnes() throws {
        let fixture = try fixture(answersCancels: false)
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        handler.transport.resumeReading()
        fixture.driver.deliver([2], on: peer)
        try fixture.settle()
        fixture.driver.deliver([3], on: peer)
        try fixture.settle()
        #expect(handler.received == [1, 2, 3])
        fixture.driver.answersCancels = true
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.fail(.receive, on: peer, with: .cancelled)
        fixture.driver.complete(cancel.token, result: 0)
        try fixture.settle()
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1, "it was resumed")
        try finish(fixture, handler)
    }

    @Test func deliversTheEndAfterTheParkedBytes() throws {
        let fixture = try fixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        fixture.driver.deliver([1], on: peer)
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made"])
        handler.transport.resumeReading()
        try fixture.settle()
        #expect(handler.log == ["made", "data 1", "eof", "lost"])
        try fixture.expectBaseline()
    }

    @Test func deliversTheEndAfterAPauseWithNothingParked() throws {
        let fixture = try fixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made"])
        handler.transport.resumeReading()
        try fixture.settle()
        #expect(handler.log == ["made", "eof", "lost"])
        try fixture.expectBaseline()
    }

    @Test func armsNothingWhenItIsPausedInConnectionMade() throws {
        let fixture = try fixture()
        fixture.prepare = { $0.onMade = { $0.pauseReading() } }
        let (peer, handler) = try fixture.connect()
        #expect(fixture.driver.operations(of: .receive, on: peer).isEmpty)
        handler.transport.resumeReading()
        try fixture.settle()
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1)
        try finish(fixture, handler)
    }

    @Test func countsCopiesAgainstTheCap() throws {
        let driver = ScriptedDriver(answersCancels: false)
        driver.capabilities.receiveBudget = false
        let fixture = try LoopFixture(driver) { $0.bufferCount = 8 }
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        for _ in 0..<10 {
            driver.deliver(pattern(50), on: peer)
            try fixture.settle()
        }
        #expect(fixture.loop.pool.lentCount == 6)
        #expect(handler.transport.parkedPinnedBytes == 6 * 64 + 4 * 50)
        driver.answersCancels = true
        let cancel = try #require(driver.lastOperation(of: .cancel))
        driver.fail(.receive, on: peer, with: .cancelled)
        driver.complete(cancel.token, result: 0)
        try fixture.settle()
        try finish(fixture, handler)
    }

    @Test func asksTheKernelForNoMoreThanTheCap() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.echo() }
        let (peer, handler) = try fixture.connect()
        func budget() -> Int? {
            guard
                case .receive(_, let bytes, _)? = fixture.driver.inFlight(of: .receive, on: peer)
                    .first?.verb
            else { return nil }
            return bytes
        }
        #expect(budget() == fixture.inputCap)
        for _ in 0..<(fixture.inputCap / 64) { fixture.driver.deliver(pattern(64), on: peer) }
        try fixture.settle()
        #expect(budget() == 256, "what waits to be sent counts, down to four buffers")
        try finish(fixture, handler)
    }
}
