import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamFlushDeadlineTests {
    private func flushing(
        _ fixture: LoopFixture
    ) throws -> (
        peer: Descriptor, handler: RecordingHandler
    ) {
        let (peer, handler) = try fixture.connect()
        handler.transport.write(pattern(1_000))
        try fixture.settle()
        acknowledge(fixture, peer, 0)
        handler.transport.close()
        try fixture.settle()
        return (peer, handler)
    }

    private func acknowledge(_ fixture: LoopFixture, _ peer: Descriptor, _ count: UInt64) {
        let state = OutputState(unacknowledgedBytes: 500, acknowledgedBytes: count)
        fixture.driver.setOutputState(state, of: peer)
    }

    @Test func resetsAPeerThatTakesNothing() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        for _ in 0..<29 { try fixture.advance(by: .seconds(1)) }
        #expect(handler.log == ["made"])
        for _ in 0..<3 { try fixture.advance(by: .seconds(1)) }
        #expect(handler.log == ["made", "lost: deadline exceeded"])
        #expect(handler.error?.detail?.contains("1000 bytes lost") == true)
        let events = fixture.driver.events(on: peer)
        #expect(events == [.optionSet(peer, .resetOnClose), .closed(peer)])
        try fixture.expectBaseline()
    }

    @Test func staysAliveWhileThePeerAcknowledges() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        for second in 1...100 as ClosedRange<UInt64> {
            if second % 20 == 0 { acknowledge(fixture, peer, second) }
            try fixture.advance(by: .seconds(1))
        }
        #expect(handler.log == ["made"])
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func resetsAPeerThatTakesAByteNowAndThenForEver() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        var seconds = 0
        while handler.log.count < 2, seconds < 1_000 {
            seconds += 10
            acknowledge(fixture, peer, UInt64(seconds))
            try fixture.advance(by: .seconds(10))
        }
        #expect((600...610).contains(seconds), "the limit of the whole close")
        #expect(handler.log == ["made", "lost: deadline exceeded"])
        let detail = "the peer had not taken all within 600.0 seconds; 1000 bytes lost"
        #expect(handler.error?.detail == detail)
        let events = fixture.driver.events(on: peer)
        #expect(events == [.optionSet(peer, .resetOnClose), .closed(peer)])
        try fixture.expectBaseline()
    }

    /// One bound for the flush and for what is left after it.
    @Test func countsTheWholeCloseTogether() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        for step in 1...50 as ClosedRange<UInt64> {
            acknowledge(fixture, peer, step)
            try fixture.advance(by: .seconds(10))
        }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        for step in 51...59 as ClosedRange<UInt64> {
            acknowledge(fixture, peer, step)
            try fixture.advance(by: .seconds(10))
            #expect(fixture.driver.openDescriptors.contains(peer))
        }
        acknowledge(fixture, peer, 60)
        try fixture.advance(by: .seconds(11))
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func leavesNoTimerBehindWhenTheFlushEnds() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        #expect(fixture.loop.timers.count == 1)
        fixture.driver.completeSend(on: peer)
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.loop.timers.count == 0)
        try fixture.expectBaseline()
    }
}
