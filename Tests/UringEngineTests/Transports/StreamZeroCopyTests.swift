import Testing
import UringTesting

@testable import UringEngine

/// Sends that read their bytes where they lie: what was sent is told first, and that nobody reads them
/// any more comes later.
@Suite("Sending without a copy") struct StreamZeroCopyTests {
    private let fixture: LoopFixture
    private let peer: Descriptor
    private let transport: StreamTransport
    private let handler: RecordingHandler
    private var driver: ScriptedDriver { fixture.driver }

    init() throws {
        fixture = try LoopFixture { options in
            options.zeroCopyThreshold = 4
        }
        (peer, handler) = try fixture.connect()
        transport = handler.transport
    }

    private func sends() -> [ScriptedVerb] {
        driver.operations(of: .send, on: peer).map(\.verb)
    }

    @Test func isForWritesFromTheThresholdOnAlone() throws {
        transport.write([1, 2, 3])
        try fixture.settle()
        driver.completeSend(on: peer)
        try fixture.settle()
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        #expect(
            sends() == [
                .send(peer, bytes: [1, 2, 3]), .sendZeroCopy(peer, bytes: [1, 2, 3, 4]),
            ]
        )
        let send = driver.takeSend(on: peer)
        driver.complete(send, result: 0)
        try end()
    }

    @Test func sendsOnWhileEarlierBytesAreStillRead() throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        let first = driver.takeSend(on: peer)
        transport.write([5, 6, 7, 8])
        try fixture.settle()
        let second = driver.takeSend(on: peer)
        try fixture.settle()
        #expect(driver.sentBytes(on: peer) == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(driver.isMemoryUnchanged(of: first))
        #expect(transport.writeBufferBytes == 0)
        #expect(transport.writeBufferPinnedBytes > 0, "it is memory all the same")
        // In any order.
        driver.complete(second, result: 0)
        driver.complete(first, result: 0)
        try fixture.settle()
        #expect(transport.writeBufferPinnedBytes == 0)
        try end()
    }

    @Test func waitsForItsMemoryAfterAShortSend() throws {
        transport.write([1, 2, 3, 4, 5, 6])
        try fixture.settle()
        let first = driver.takeSend(on: peer, byteCount: 1)
        try fixture.settle()
        #expect(sends().count == 1, "the rest lies in memory that is read")
        driver.complete(first, result: 0)
        try fixture.settle()
        #expect(sends().last == .sendZeroCopy(peer, bytes: [2, 3, 4, 5, 6]))
        driver.complete(driver.takeSend(on: peer), result: 0)
        try end()
    }

    @Test func endsWithTheErrorOfTheFirstCompletion() throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        let send = driver.operations(of: .send, on: peer)[0].token
        driver.complete(
            send,
            result: -Errno.brokenPipe.rawValue,
            isTerminal: false,
            buffersReleased: false
        )
        try fixture.settle()
        #expect(handler.log == ["made"], "its memory is still read")
        driver.complete(send, result: 0)
        try fixture.settle()
        #expect(handler.error?.errno == .brokenPipe)
        try fixture.expectBaseline()
    }

    @Test(arguments: [Errno.noMemory, .notSupported])
    func copiesWhereTheKernelRefuses(errno: Errno) throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        driver.fail(.send, on: peer, with: errno)
        try fixture.settle()
        #expect(sends().last == .send(peer, bytes: [1, 2, 3, 4]))
        #expect(fixture.loop.zeroCopyBytesMin == .max, "nobody else tries")
        driver.completeSend(on: peer)
        try end()
    }

    @Test func pausesTheWriterForWhatIsStillRead() throws {
        try transport.setWriteBufferLimits(low: 0, high: 600)
        transport.write([UInt8](repeating: 1, count: 500))
        try fixture.settle()
        let first = driver.takeSend(on: peer)
        try fixture.settle()
        transport.write([UInt8](repeating: 2, count: 500))
        try fixture.settle()
        #expect(handler.log == ["made", "pause"])
        let second = driver.takeSend(on: peer)
        driver.complete(first, result: 0)
        try fixture.settle()
        #expect(handler.log == ["made", "pause"])
        driver.complete(second, result: 0)
        try fixture.settle()
        #expect(handler.log == ["made", "pause", "resume"])
        try end()
    }

    @Test func closesWhenThePeerHasAcknowledged() throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        let send = driver.takeSend(on: peer)
        transport.close()
        try fixture.settle()
        try fixture.endPeer(peer)
        #expect(handler.log == ["made", "lost"])
        #expect(driver.openDescriptors.contains(peer), "the kernel still reads")
        driver.complete(send, result: 0)
        try fixture.settle()
        #expect(!driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    /// A peer that acknowledges nothing would keep an aborted connection for ever.
    @Test func dropsWhatTheKernelHoldsBeforeAnAbort() throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        let send = driver.takeSend(on: peer)
        try fixture.settle()
        transport.abort()
        try fixture.settle()
        #expect(driver.events(on: peer).contains(.disconnected(peer)))
        #expect(driver.openDescriptors.contains(peer))
        driver.complete(send, result: 0)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }

    @Test func dropsWhatTheKernelHoldsWhenTheLoopEnds() throws {
        transport.write([1, 2, 3, 4])
        try fixture.settle()
        let send = driver.takeSend(on: peer)
        transport.close()
        try fixture.settle()
        driver.onIdle = { [peer] driver in
            guard driver.events(on: peer).contains(.disconnected(peer)) else { return }
            if driver.operation(send)?.isInFlight == true { driver.complete(send, result: 0) }
        }
        #expect(fixture.loop.shutDown() == 0)
        #expect(driver.openDescriptors.isEmpty)
        #expect(driver.violations.isEmpty)
    }

    private func end() throws {
        try fixture.settle()
        transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }
}
