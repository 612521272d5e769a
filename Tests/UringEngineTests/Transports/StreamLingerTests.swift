import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamLingerTests {
    private func closing(
        _ fixture: LoopFixture,
        unacknowledged: Int
    ) throws -> (
        peer: Descriptor, handler: RecordingHandler
    ) {
        let (peer, handler) = try fixture.connect()
        setState(fixture, peer, unacknowledged: unacknowledged, acknowledged: 0)
        handler.transport.close()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        return (peer, handler)
    }

    private func setState(
        _ fixture: LoopFixture,
        _ peer: Descriptor,
        unacknowledged: Int,
        acknowledged: UInt64
    ) {
        let state = OutputState(
            unacknowledgedBytes: unacknowledged,
            acknowledgedBytes: acknowledged
        )
        fixture.driver.setOutputState(state, of: peer)
    }

    private func discard(_ fixture: LoopFixture, _ peer: Descriptor, _ count: Int32) throws {
        let operation = try #require(fixture.driver.inFlight(of: .discard, on: peer).first)
        fixture.driver.complete(operation.token, result: count)
        try fixture.settle()
    }

    private func isReset(_ fixture: LoopFixture, _ peer: Descriptor) -> Bool {
        fixture.driver.descriptor(peer)?.options.contains(.resetOnClose) ?? false
    }

    @Test func endsAfterItsTime() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        try fixture.advance(by: .milliseconds(1_990))
        #expect(fixture.driver.openDescriptors.contains(peer))
        try fixture.advance(by: .milliseconds(20))
        #expect(!fixture.driver.openDescriptors.contains(peer))
        #expect(!isReset(fixture, peer), "everything was taken")
        try fixture.expectBaseline()
    }

    @Test func endsAfterItsBytes() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        try discard(fixture, peer, 262_144)
        #expect(fixture.driver.openDescriptors.contains(peer))
        try discard(fixture, peer, 1)
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func countsNothingBeforeAllIsAcknowledged() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 1_000)
        for step in 1...5 as ClosedRange<UInt64> {
            try discard(fixture, peer, 500_000)
            setState(fixture, peer, unacknowledged: 1_000 - Int(step), acknowledged: step)
            try fixture.advance(by: .seconds(10))
            #expect(fixture.driver.openDescriptors.contains(peer), "it makes progress")
        }
        setState(fixture, peer, unacknowledged: 0, acknowledged: 1_000)
        try fixture.advance(by: .milliseconds(100))
        #expect(fixture.driver.openDescriptors.contains(peer))
        try fixture.advance(by: .seconds(2))
        #expect(!fixture.driver.openDescriptors.contains(peer))
        #expect(!isReset(fixture, peer))
        try fixture.expectBaseline()
    }

    @Test func resetsAPeerThatTakesNothing() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 1_000)
        try fixture.advance(by: .seconds(29))
        #expect(fixture.driver.openDescriptors.contains(peer))
        try fixture.advance(by: .seconds(2))
        #expect(!fixture.driver.openDescriptors.contains(peer))
        #expect(isReset(fixture, peer), "never a FIN that claims completeness")
        try fixture.expectBaseline()
    }

    /// How often a timer brought the loop back until the peer's descriptor was closed.
    private func timersFired(_ fixture: LoopFixture, until peer: Descriptor) throws -> Int {
        var instants: Set<UInt64> = []
        while fixture.driver.openDescriptors.contains(peer), instants.count < 10_000 {
            // Nothing but a timer can end the wait: it moves the clock.
            try fixture.loop.runOnce(mayWait: true)
            instants.insert(fixture.driver.now())
        }
        return instants.count
    }

    @Test func looksEverMoreSeldomWhetherAllIsAcknowledged() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 1_000)
        // Ten looks within the first second, then one a second.
        #expect(try (30...45).contains(timersFired(fixture, until: peer)))
        #expect(isReset(fixture, peer))
        try fixture.expectBaseline()
    }

    @Test func noticesAtOnceThatAllIsAcknowledgedAtOnce() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 1_000)
        setState(fixture, peer, unacknowledged: 0, acknowledged: 1_000)
        try fixture.advance(by: .milliseconds(1))
        try fixture.advance(by: .milliseconds(1_999))
        #expect(fixture.driver.openDescriptors.contains(peer))
        try fixture.advance(by: .milliseconds(1))
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func resetsAPeerThatTakesAByteNowAndThenForEver() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 1_000_000)
        var seconds = 0
        while fixture.driver.openDescriptors.contains(peer), seconds < 1_000 {
            seconds += 10
            let left = 1_000_000 - seconds
            setState(fixture, peer, unacknowledged: left, acknowledged: UInt64(seconds))
            try fixture.advance(by: .seconds(10))
        }
        #expect((600...610).contains(seconds), "the limit of the whole close")
        #expect(isReset(fixture, peer))
        try fixture.expectBaseline()
    }

    @Test func closesWhenThePeerResets() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        fixture.driver.fail(.discard, on: peer, with: .connectionReset)
        try fixture.settle()
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func dropsWhatTheMultishotStillBrings() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        fixture.driver.deliver([1, 2], on: peer)
        fixture.driver.deliver([3], on: peer)
        try fixture.settle()
        #expect(fixture.loop.pool.lentCount == 0)
        #expect(fixture.driver.operations(of: .discard, on: peer).isEmpty, "one at a time")
        fixture.driver.endStream(on: peer)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.fail(cancel.token, with: .notFound)
        try fixture.settle()
        #expect(!fixture.driver.openDescriptors.contains(peer))
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }

    @Test(arguments: [Errno.cancelled, .noBuffers, .interrupted])
    func discardsOnceTheMultishotHasEnded(errno: Errno) throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        fixture.driver.fail(.receive, on: peer, with: errno)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.complete(cancel.token, result: 0)
        try fixture.settle()
        #expect(fixture.driver.inFlight(of: .discard, on: peer).count == 1)
        try fixture.endPeer(peer)
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }

    @Test func closesOnlyAfterTheLastCompletion() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let (peer, _) = try closing(fixture, unacknowledged: 0)
        try fixture.advance(by: .seconds(3))
        #expect(fixture.driver.openDescriptors.contains(peer), "the receive is still in flight")
        fixture.driver.fail(.receive, on: peer, with: .cancelled)
        for cancel in fixture.driver.operations(of: .cancel) where cancel.isInFlight {
            fixture.driver.complete(cancel.token, result: 0)
        }
        try fixture.settle()
        #expect(!fixture.driver.openDescriptors.contains(peer))
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }
}
