import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamCloseTests {
    @Test func flushesThenSendsFINThenTellsThenLingersThenCloses() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1, 2])
        handler.transport.close()
        #expect(handler.transport.isClosing)
        #expect(!handler.transport.write([3]), "a write after close is refused")
        handler.transport.close()
        try fixture.settle()
        #expect(fixture.driver.descriptor(peer)?.shutDown == nil)
        #expect(handler.log == ["made"])
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == [1, 2])
        #expect(fixture.driver.descriptor(peer)?.shutDown == .output)
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.loop.openConnections == 1, "its descriptor is still in use")
        #expect(fixture.driver.inFlight(of: .discard, on: peer).count == 1)
        #expect(fixture.driver.openDescriptors.contains(peer), "it lingers")
        let discard = try #require(fixture.driver.inFlight(of: .discard, on: peer).first)
        fixture.driver.complete(discard.token, result: 500)
        try fixture.settle()
        #expect(fixture.driver.openDescriptors.contains(peer))
        try fixture.endPeer(peer)
        #expect(!fixture.driver.openDescriptors.contains(peer))
        let events = fixture.driver.events(on: peer)
        #expect(events == [.shutDown(peer, .output), .closed(peer)])
        #expect(fixture.loop.openConnections == 0)
        try fixture.expectBaseline()
    }

    @Test func doesNotLingerAfterThePeersEnd() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "eof", "lost"])
        #expect(fixture.driver.operations(of: .discard, on: peer).isEmpty)
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func deliversNothingAfterClose() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1])
        try fixture.settle()
        handler.transport.close()
        fixture.driver.deliver([7], on: peer)
        try fixture.settle()
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made"])
        #expect(fixture.loop.pool.lentCount == 0)
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }

    @Test func dropsParkedBytesAndReceivesOnWhileItFlushes() throws {
        let driver = ScriptedDriver()
        driver.capabilities.receiveBudget = false
        let fixture = try LoopFixture(driver)
        let (peer, handler) = try fixture.connect()
        handler.transport.pauseReading()
        for _ in 0..<20 { driver.deliver([1], on: peer) }
        try fixture.settle()
        handler.transport.write([9])
        // Resumed, but its delivery has not run: nothing but the close arms the receive.
        handler.transport.resumeReading()
        handler.transport.close()
        #expect(handler.transport.parkedPinnedBytes == 0)
        try fixture.settle()
        #expect(
            driver.inFlight(of: .receive, on: peer).count == 1,
            "a peer may write before it reads"
        )
        driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func closesInsideConnectionMade() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.onMade = { $0.close() } }
        let (peer, handler) = try fixture.connect()
        #expect(handler.log == ["made", "lost"])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func closesInsideDataReceived() throws {
        let fixture = try LoopFixture()
        fixture.prepare = {
            $0.onData = { bytes, transport in
                transport.write(bytes)
                transport.close()
            }
        }
        let (peer, handler) = try fixture.connect()
        fixture.driver.deliver([1], on: peer)
        fixture.driver.deliver([2], on: peer)
        try fixture.settle()
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "data 1", "lost"])
        #expect(fixture.driver.sentBytes(on: peer) == [1])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func endsWithResetWhenTheFINCannotBeSent() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        fixture.driver.failNext(.shutdown, with: .notConnected)
        handler.transport.close()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        let second = try fixture.connect()
        fixture.driver.failNext(.shutdown, with: .badDescriptor)
        second.handler.transport.close()
        try fixture.settle()
        #expect(second.handler.log == ["made", "lost: EBADF (9)"])
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func endsAtItsDeadline() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        let transport = handler.transport
        transport.setDeadline(.after(.seconds(1), from: fixture.driver.now()))
        transport.setDeadline(.after(.seconds(3), from: fixture.driver.now()))
        try fixture.advance(by: .seconds(2))
        #expect(handler.log == ["made"], "the later one replaced the earlier")
        transport.setDeadline(nil)
        try fixture.advance(by: .seconds(5))
        #expect(handler.log == ["made"])
        transport.setDeadline(.after(.seconds(1), from: fixture.driver.now()))
        try fixture.advance(by: .seconds(1))
        #expect(handler.log == ["made", "lost: deadline exceeded"])
        transport.setDeadline(.after(.seconds(1), from: fixture.driver.now()))
        try fixture.expectBaseline()
    }

    @Test func knowsItsAddressesUntilTheEnd() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        let transport = handler.transport
        #expect(try transport.localAddress() == fixture.listener?.address)
        #expect(try transport.peerAddress() == .ipv4(0x7F00_0001, port: 50_000))
        try transport.setOption(.keepAlive(true))
        #expect(fixture.driver.descriptor(peer)?.options == [.keepAlive(true)])
        transport.abort()
        try fixture.settle()
        let error = #expect(throws: IOError.self) { try transport.localAddress() }
        #expect(error?.reason == .closed)
        #expect(throws: IOError.self) { try transport.peerAddress() }
        #expect(throws: IOError.self) { try transport.setOption(.keepAlive(false)) }
        try fixture.expectBaseline()
    }

    @Test func ignoresEveryCallAfterTheEnd() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        handler.transport.abort()
        try fixture.settle()
        let transport = handler.transport
        transport.close()
        transport.abort()
        transport.writeEOF()
        transport.pauseReading()
        transport.resumeReading()
        transport.pauseReading()
        #expect(!transport.write([1]))
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }
}
