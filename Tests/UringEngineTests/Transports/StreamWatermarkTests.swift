import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamWatermarkTests {
    private func finish(_ fixture: LoopFixture, _ handler: RecordingHandler) throws {
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func pausesAboveTheHighMarkAndResumesAtTheLowOne() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        let transport = handler.transport
        try transport.setWriteBufferLimits(low: 1_024, high: 4_096)
        transport.write(pattern(4_096))
        #expect(handler.log == ["made"])
        transport.write([1])
        #expect(handler.log == ["made", "pause"])
        transport.write([2])
        try fixture.settle()
        fixture.driver.completeSend(on: peer, .short(4_000))
        try fixture.settle()
        #expect(handler.log == ["made", "pause"], "its block is still pinned")
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["made", "pause", "resume"])
        transport.write(pattern(5_000))
        #expect(handler.log.last == "pause", "and again")
        try finish(fixture, handler)
    }

    @Test func looksAtOnceWhenTheLimitsChange() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        let transport = handler.transport
        transport.write(pattern(1_024))
        try transport.setWriteBufferLimits(low: 0, high: 100)
        #expect(handler.log == ["made", "pause"])
        try transport.setWriteBufferLimits(low: 2_000, high: 2_000)
        #expect(handler.log == ["made", "pause", "resume"])
        for (low, high) in [(-1, 5), (6, 5)] {
            #expect(throws: IOError.self) {
                try transport.setWriteBufferLimits(low: low, high: high)
            }
        }
        try finish(fixture, handler)
    }

    @Test func resumesNobodyWhoIsClosing() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        try handler.transport.setWriteBufferLimits(low: 0, high: 100)
        handler.transport.write(pattern(1_000))
        handler.transport.close()
        try fixture.settle()
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        try fixture.endPeer(peer)
        #expect(handler.log == ["made", "pause", "lost"])
        try fixture.expectBaseline()
    }

    @Test func copiesWastefulBlocksThatMustWait() throws {
        let driver = ScriptedDriver()
        driver.capabilities.receiveBudget = false
        let fixture = try LoopFixture(driver) {
            $0.bufferBytes = 4_096
            $0.bufferCount = 64
        }
        fixture.prepare = { $0.echo() }
        let (peer, handler) = try fixture.connect()
        var expected: [UInt8] = []
        for number in 0..<30 as Range<UInt8> {
            let bytes = [UInt8](repeating: number, count: number % 3 == 2 ? 3_000 : 10)
            expected += bytes
            fixture.driver.deliver(bytes, on: peer)
            try fixture.settle()
        }
        #expect(fixture.loop.pool.lentCount == 11, "the one in flight and the ten that are full")
        #expect(handler.transport.writeBufferBytes == expected.count)
        for _ in 0..<60 where !fixture.driver.inFlight(of: .send, on: peer).isEmpty {
            fixture.driver.completeSend(on: peer)
            try fixture.settle()
        }
        #expect(fixture.driver.sentBytes(on: peer) == expected)
        #expect(handler.transport.writeBufferPinnedBytes == 0)
        try finish(fixture, handler)
    }

    @Test func countsWhatBlocksPin() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.echo() }
        let (peer, handler) = try fixture.connect()
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        #expect(handler.transport.writeBufferBytes == 1)
        #expect(handler.transport.writeBufferPinnedBytes == 64)
        try finish(fixture, handler)
    }

    @Test func closesInsidePauseWriting() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        try handler.transport.setWriteBufferLimits(low: 0, high: 10)
        handler.onPause = { $0.close() }
        #expect(handler.transport.write(pattern(100)))
        #expect(!handler.transport.write([1]))
        try fixture.settle()
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == pattern(100))
        try fixture.endPeer(peer)
        #expect(handler.log == ["made", "pause", "lost"])
        try fixture.expectBaseline()
    }
}
