import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamSendTests {
    private func sends(_ fixture: LoopFixture, _ peer: Descriptor) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: .send, on: peer)
    }

    private func finish(_ fixture: LoopFixture, _ peer: Descriptor) throws {
        for _ in 0..<200 where !sends(fixture, peer).isEmpty {
            fixture.driver.completeSend(on: peer)
            try fixture.settle()
        }
        fixture.handlers.last?.transport.close()
        try fixture.settle()
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func continuesShortSendsInOrder() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        let bytes = pattern(10_000)
        #expect(handler.transport.write(bytes))
        try fixture.settle()
        for count in [1, 999, 3_000, 5_999] {
            #expect(sends(fixture, peer).count == 1)
            fixture.driver.completeSend(on: peer, .short(count))
            try fixture.settle()
        }
        #expect(handler.transport.writeBufferBytes == 1)
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == bytes)
        #expect(handler.transport.writeBufferPinnedBytes == 0)
        try finish(fixture, peer)
    }

    @Test func continuesShortMessagesAcrossTheirRuns() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write(pattern(100))
        try fixture.settle()
        var written = pattern(100)
        for part in 0..<4 {
            written += pattern(16_384, from: part)
            handler.transport.write(pattern(16_384, from: part))
        }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        for count in [1, 16_383, 16_385, 20_000] {
            fixture.driver.completeSend(on: peer, .short(count))
            try fixture.settle()
        }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == written)
        try finish(fixture, peer)
    }

    @Test func keepsOneSendInFlightAtMost() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        var written: [UInt8] = []
        for round in 0..<10 {
            handler.transport.write([UInt8(round)])
            written.append(UInt8(round))
            try fixture.settle()
            #expect(sends(fixture, peer).count == 1)
        }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(sends(fixture, peer).first?.verb.bytes == Array(1..<10))
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == written)
        #expect(fixture.driver.operations(of: .send, on: peer).count == 2)
        try finish(fixture, peer)
    }

    @Test func gathersAtMostSixtyFourRuns() throws {
        let driver = ScriptedDriver()
        driver.capabilities.receiveBudget = false
        let fixture = try LoopFixture(driver)
        fixture.prepare = { $0.echo() }
        let (peer, _) = try fixture.connect()
        for number in 0..<100 { fixture.driver.deliver(pattern(64, from: number), on: peer) }
        try fixture.settle()
        guard case .sendMessage(_, let runs)? = sends(fixture, peer).first?.verb else {
            Issue.record("several runs go out as one message")
            return
        }
        #expect(runs.count == 64)
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(sends(fixture, peer).first?.verb.bytes.count == 36 * 64)
        try finish(fixture, peer)
    }

    @Test func gathersAtMostAQuarterOfAMebibyte() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([0])
        try fixture.settle()
        for _ in 0..<5 { handler.transport.write(pattern(100_000)) }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(sends(fixture, peer).first?.verb.bytes.count == 200_000)
        try finish(fixture, peer)
    }

    @Test func sendsALongBlockAlone() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write(pattern(307_200))
        handler.transport.write(pattern(307_200))
        try fixture.settle()
        #expect(sends(fixture, peer).first?.verb.bytes.count == 307_200)
        try finish(fixture, peer)
    }

    @Test(arguments: [Errno.again, .interrupted, .noMemory, .noBuffers])
    func asksAgainWhenTheKernelCouldNotTakeIt(errno: Errno) throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1, 2, 3])
        try fixture.settle()
        fixture.driver.fail(.send, on: peer, with: errno)
        try fixture.settle()
        if errno != .interrupted {
            // Asking again at once would spin: not before the pause is over.
            #expect(fixture.driver.inFlight(of: .send, on: peer).isEmpty)
            fixture.driver.advance(by: .milliseconds(10))
            try fixture.settle()
        }
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == [1, 2, 3])
        try finish(fixture, peer)
    }

    @Test func writesNothingForNoBytes() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        #expect(handler.transport.write([UInt8]()))
        try fixture.settle()
        #expect(fixture.driver.operations(of: .send, on: peer).isEmpty)
        try finish(fixture, peer)
    }

    @Test func endsWhenThePeerIsGone() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1])
        try fixture.settle()
        fixture.driver.fail(.send, on: peer, with: .brokenPipe)
        try fixture.settle()
        #expect(handler.log == ["made", "lost: EPIPE (32)"])
        #expect(handler.error?.operation == .send)
        #expect(!handler.transport.write([2]))
        try fixture.expectBaseline()
    }
}
