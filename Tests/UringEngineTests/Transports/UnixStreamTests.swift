import Testing
import UringTesting

@testable import UringEngine

@Suite struct UnixStreamTests {
    private static let path = SocketAddress.unix(Array("/run/server".utf8))

    private func connect(
        _ fixture: LoopFixture,
        _ options: ListenerOptions = ListenerOptions()
    ) throws -> (peer: Descriptor, handler: RecordingHandler) {
        try fixture.listen(options, on: Self.path)
        let peer = fixture.driver.acceptConnection(
            on: fixture.listenerDescriptor,
            from: .unix([])
        )
        try fixture.settle()
        return (peer, try #require(fixture.handlers.last))
    }

    /// A stream in its last step, its receive re-armed after the shutdown.
    private func closing(
        _ fixture: LoopFixture
    ) throws -> (peer: Descriptor, handler: RecordingHandler) {
        let (peer, handler) = try connect(fixture)
        handler.transport.close()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.driver.descriptor(peer)?.shutDown == .both)
        #expect(fixture.driver.inFlight(of: .receive, on: peer).count == 1)
        return (peer, handler)
    }

    private func isOpen(_ fixture: LoopFixture, _ peer: Descriptor) -> Bool {
        fixture.driver.openDescriptors.contains(peer)
    }

    @Test func namesAnUnnamedPeer() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try connect(fixture)
        #expect(try handler.transport.peerAddress() == .unix([]))
        #expect(try handler.transport.localAddress() == Self.path)
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    // MARK: The last step of a close

    @Test func readsWhatThePeerSentBeforeItCloses() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture)
        fixture.driver.deliver([1, 2, 3], on: peer)
        fixture.driver.deliver([4], on: peer, isTerminal: true)
        try fixture.settle()
        #expect(isOpen(fixture, peer))
        #expect(fixture.loop.pool.lentCount == 0, "dropped")
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(!isOpen(fixture, peer))
        #expect(fixture.driver.operations(of: .discard).isEmpty)
        #expect(fixture.driver.descriptor(peer)?.options == [], "no reset, no option of TCP")
        try fixture.expectBaseline()
    }

    @Test func closesAtOnceWhenThePeerHasEnded() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        let receives = fixture.driver.operations(of: .receive, on: peer).count
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "eof", "lost"])
        #expect(!isOpen(fixture, peer))
        #expect(fixture.driver.operations(of: .receive, on: peer).count == receives)
        try fixture.expectBaseline()
    }

    @Test func shutsBothDirectionsAfterAHalfClose() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        handler.transport.writeEOF()
        try fixture.settle()
        #expect(fixture.driver.descriptor(peer)?.shutDown == .output)
        handler.transport.close()
        try fixture.settle()
        #expect(fixture.driver.descriptor(peer)?.shutDown == .both)
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test(arguments: [Errno.connectionReset, .noBuffers])
    func closesWhenNothingMoreCanBeRead(errno: Errno) throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture)
        fixture.driver.fail(.receive, on: peer, with: errno)
        try fixture.settle()
        #expect(!isOpen(fixture, peer))
        try fixture.expectBaseline()
    }

    @Test(arguments: [Errno.again, .interrupted, .cancelled])
    func readsOnWhenTheKernelWantsToBeAskedAgain(errno: Errno) throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture)
        fixture.driver.fail(.receive, on: peer, with: errno)
        try fixture.settle()
        let operation = try #require(fixture.driver.inFlight(of: .receive, on: peer).first)
        guard case .receive(_, _, let waitForReadiness) = operation.verb else { return }
        #expect(!waitForReadiness, "the end would not be seen behind bytes")
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func takesTheEndFromTheReceiveThatWasArmed() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let (peer, handler) = try connect(fixture)
        handler.transport.close()
        try fixture.settle()
        fixture.driver.deliver([1], on: peer)
        fixture.driver.endStream(on: peer)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.fail(cancel.token, with: .notFound)
        try fixture.settle()
        #expect(!isOpen(fixture, peer))
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }

    @Test func endsTheLastStepWhenTheLoopShutsDown() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try closing(fixture)
        #expect(fixture.loop.shutDown() == 0)
        #expect(!isOpen(fixture, peer))
        #expect(fixture.driver.violations.isEmpty)
    }

    // MARK: Abort

    @Test func abortsWithoutAReset() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        handler.transport.write([1, 2, 3])
        handler.transport.abort()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.driver.events(on: peer) == [.closed(peer)])
        try fixture.expectBaseline()
    }

    // MARK: The flush deadline

    private func flushing(
        _ fixture: LoopFixture
    ) throws -> (peer: Descriptor, handler: RecordingHandler) {
        let (peer, handler) = try connect(fixture)
        // The same full buffer at each look.
        let state = OutputState(unacknowledgedBytes: 222_720, acknowledgedBytes: nil)
        fixture.driver.setOutputState(state, of: peer)
        handler.transport.write(pattern(1_000))
        try fixture.settle()
        handler.transport.close()
        try fixture.settle()
        return (peer, handler)
    }

    @Test func givesUpAPeerThatTakesNothing() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        for _ in 0..<29 { try fixture.advance(by: .seconds(1)) }
        #expect(handler.log == ["made"])
        for _ in 0..<3 { try fixture.advance(by: .seconds(1)) }
        #expect(handler.log == ["made", "lost: deadline exceeded"])
        #expect(handler.error?.detail?.contains("1000 bytes lost") == true)
        #expect(fixture.driver.events(on: peer) == [.closed(peer)])
        try fixture.expectBaseline()
    }

    /// What a send in flight has handed over shows when it is cancelled, and nowhere else.
    @Test func staysAliveWhileThePeerTakesSomething() throws {
        let driver = ScriptedDriver(answersCancels: false)
        let fixture = try LoopFixture(driver)
        let (peer, handler) = try flushing(fixture)
        var taken: Int32 = 0
        for second in 1...100 {
            try fixture.advance(by: .seconds(1))
            for cancel in driver.operations(of: .cancel) where cancel.isInFlight {
                let send = try #require(driver.inFlight(of: .send, on: peer).first)
                let part: Int32 = second % 20 == 0 ? 7 : 0
                taken += part
                let result = part > 0 ? part : -Errno.cancelled.rawValue
                driver.complete(send.token, result: result)
                driver.complete(cancel.token, result: 0)
            }
            try fixture.settle()
        }
        #expect(handler.log == ["made"])
        #expect(taken == 35)
        #expect(
            driver.inFlight(of: .send, on: peer).first?.verb.bytes == Array(pattern(1_000)[35...])
        )
        driver.answersCancels = true
        driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        #expect(driver.sentBytes(on: peer) == pattern(1_000))
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func countsWhatThePeerReadsAsProgress() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try flushing(fixture)
        for second in 1...100 {
            let state = OutputState(
                unacknowledgedBytes: 1_000 - second / 20,
                acknowledgedBytes: nil
            )
            fixture.driver.setOutputState(state, of: peer)
            try fixture.advance(by: .seconds(1))
        }
        #expect(handler.log == ["made"])
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }
}
