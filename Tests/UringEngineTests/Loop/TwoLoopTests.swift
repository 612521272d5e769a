import Testing
import UringTesting

@testable import UringEngine

/// Two loops on one thread: each is current only while it ticks, as two loops on two threads are.
@Suite struct TwoLoopTests {
    @Test func bytesSentByAnotherLoopGoBackThroughTheirOwnPoolsLock() throws {
        let first = try LoopFixture()
        let second = try LoopFixture()
        let (peer, handler) = try first.connect()
        let (target, writer) = try second.connect()
        handler.onData = { bytes, _ in writer.transport.write(bytes) }
        first.driver.deliver([1, 2, 3], on: peer)
        try first.settle()
        #expect(first.loop.pool.lentCount == 1)
        let freeBefore = first.loop.pool.freeBufferCount
        try second.settle()
        second.driver.completeSend(on: target)
        try second.settle()
        #expect(second.driver.sentBytes(on: target) == [1, 2, 3])
        #expect(first.loop.pool.freeBufferCount == freeBefore, "not while another loop runs")
        #expect(first.loop.pool.lentCount == 1)
        try first.settle()
        #expect(first.loop.pool.lentCount == 0)
        try first.endPeer(peer)
        try second.endPeer(target)
        try first.expectBaseline()
        try second.expectBaseline()
    }
}
