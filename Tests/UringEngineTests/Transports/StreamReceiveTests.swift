import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamReceiveTests {
    private func receives(_ fixture: LoopFixture, _ peer: Descriptor) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: .receive, on: peer)
    }

    private func finish(_ fixture: LoopFixture, _ peer: Descriptor) throws {
        try fixture.endPeer(peer)
        #expect(fixture.handlers.last?.log.last == "lost")
        try fixture.expectBaseline()
    }

    @Test func armsAgainWheneverTheMultishotEnds() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        for round in 0..<5 {
            fixture.driver.deliver(pattern(10, from: round), on: peer, isTerminal: round % 2 == 0)
            try fixture.settle()
            #expect(receives(fixture, peer).count == 1)
        }
        #expect(handler.received.count == 50)
        try finish(fixture, peer)
    }

    @Test(arguments: [Errno.again, .interrupted, .cancelled])
    func armsAgainWhenTheKernelWantsToBeAskedAgain(errno: Errno) throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        fixture.driver.fail(.receive, on: peer, with: errno)
        try fixture.settle()
        #expect(receives(fixture, peer).count == 1)
        #expect(handler.log == ["made"])
        try finish(fixture, peer)
    }

    @Test func looksForReadinessFirstAfterEAGAIN() throws {
        let fixture = try LoopFixture()
        let (peer, _) = try fixture.connect()
        fixture.driver.fail(.receive, on: peer, with: .again)
        try fixture.settle()
        guard case .receive(_, _, let waits)? = receives(fixture, peer).first?.verb else {
            Issue.record("the receive is armed again")
            return
        }
        #expect(waits, "asking at once would spin")
        try finish(fixture, peer)
    }

    /// A multishot that looks for readiness first may miss a reset behind bytes.
    @Test(arguments: [true, false])
    func looksForReadinessFirstAfterENOBUFSOnlyInOneShot(isMultishot: Bool) throws {
        var capabilities = ScriptedDriver.everyCapability
        capabilities.multishotReceive = isMultishot
        capabilities.receiveBudget = isMultishot
        let fixture = try LoopFixture(ScriptedDriver(capabilities: capabilities))
        let (peer, _) = try fixture.connect()
        fixture.driver.fail(.receive, on: peer, with: .noBuffers)
        try fixture.settle()
        // What it waits for is there: the next tick gives it its share.
        try fixture.tick()
        guard case .receive(_, _, let waits)? = receives(fixture, peer).first?.verb else {
            Issue.record("the receive is armed again")
            return
        }
        #expect(waits == !isMultishot)
        try finish(fixture, peer)
    }

    @Test(arguments: [
        Errno.connectionReset, .timedOut, .brokenPipe, Errno(rawValue: 113), Errno(rawValue: 512),
    ])
    func endsOnceWithTheError(errno: Errno) throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1])
        try fixture.settle()
        fixture.driver.fail(.receive, on: peer, with: errno)
        fixture.driver.fail(.send, on: peer, with: .brokenPipe)
        try fixture.settle()
        #expect(handler.log == ["made", "lost: \(errno)"])
        #expect(handler.error?.descriptor == peer)
        #expect(handler.error?.operation == .receive)
        try fixture.expectBaseline()
    }

    @Test func leavesSiblingsAlone() throws {
        let fixture = try LoopFixture()
        let first = try fixture.connect()
        let second = try fixture.connect()
        fixture.driver.deliver([1], on: second.peer)
        fixture.driver.fail(.receive, on: first.peer, with: .connectionReset)
        fixture.driver.deliver([2], on: second.peer)
        try fixture.settle()
        #expect(first.handler.log.last?.hasPrefix("lost") == true)
        #expect(second.handler.received == [1, 2])
        try fixture.endPeer(second.peer)
        try fixture.expectBaseline()
    }

    @Test func takesABufferThatComesWithTheEnd() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        let token = try #require(receives(fixture, peer).first?.token)
        let buffer = try #require(fixture.driver.publishedBuffers.first)
        fixture.driver.complete(token, result: 0, buffer: buffer)
        try fixture.settle()
        #expect(handler.log == ["made", "eof", "lost"])
        try fixture.expectBaseline()
    }

    @Test func takesABufferThatComesWithAnError() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        let token = try #require(receives(fixture, peer).first?.token)
        let buffer = try #require(fixture.driver.publishedBuffers.first)
        fixture.driver.complete(token, result: -104, buffer: buffer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost: ECONNRESET (104)"])
        try fixture.expectBaseline()
    }

    @Test func copiesWhenThePoolIsMostlyLent() throws {
        let fixture = try LoopFixture { $0.bufferCount = 8 }
        var kept: [BytesBox] = []
        fixture.prepare = { $0.onData = { bytes, _ in kept.append(BytesBox(bytes)) } }
        let (peer, handler) = try fixture.connect()
        for number in 0..<20 {
            fixture.driver.deliver([UInt8(number), 1, 2], on: peer)
            try fixture.settle()
        }
        #expect(fixture.loop.pool.lentCount == 6)
        #expect(fixture.loop.metrics.copiedReceives == 14)
        for (number, box) in kept.enumerated() {
            #expect(box.take()?.copyToArray() == [UInt8(number), 1, 2])
        }
        #expect(handler.received.count == 60)
        try finish(fixture, peer)
    }

    @Test func halfClosesBothWays() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.staysOpenAfterEOF = true }
        let (peer, handler) = try fixture.connect()
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "eof"])
        #expect(handler.transport.write([1, 2]))
        try fixture.settle()
        handler.transport.writeEOF()
        #expect(!handler.transport.write([3]))
        try fixture.settle()
        #expect(fixture.driver.descriptor(peer)?.shutDown == nil, "the send comes first")
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.descriptor(peer)?.shutDown == .output)
        #expect(handler.log == ["made", "eof"], "open until it is closed")
        handler.transport.close()
        try fixture.settle()
        #expect(handler.log == ["made", "eof", "lost"])
        try fixture.expectBaseline()
    }

    @Test func receivesAfterItsOwnEOF() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.writeEOF()
        handler.transport.writeEOF()
        try fixture.settle()
        #expect(fixture.driver.events(on: peer).count { $0 == .shutDown(peer, .output) } == 1)
        fixture.driver.deliver([4], on: peer)
        try fixture.settle()
        #expect(handler.received == [4])
        try finish(fixture, peer)
        #expect(fixture.driver.events(on: peer).count { $0 == .shutDown(peer, .output) } == 1)
    }
}
