import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamHandlerErrorTests {
    private typealias Failure = RecordingHandler.Failure

    private func expectAborted(
        _ hook: @escaping (RecordingHandler) -> Void,
        by provoke: (LoopFixture, Descriptor, RecordingHandler) throws -> Void
    ) throws {
        let fixture = try LoopFixture()
        let sibling = try fixture.connect()
        fixture.prepare = hook
        let (peer, handler) = try fixture.connect()
        try provoke(fixture, peer, handler)
        try fixture.settle()
        #expect(handler.log.last == "lost: cancelled")
        #expect(fixture.failures.count == 1)
        #expect(fixture.failures.first?.origin == .streamHandler)
        #expect(fixture.failures.first?.error is Failure)
        #expect(fixture.driver.descriptor(peer)?.options == [.resetOnClose])
        fixture.driver.deliver([1], on: sibling.peer)
        try fixture.settle()
        #expect(sibling.handler.received == [1], "the loop lives")
        sibling.handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func survivesConnectionMade() throws {
        try expectAborted({ $0.onMade = { _ in throw Failure() } }, by: { _, _, _ in })
    }

    @Test func survivesDataReceived() throws {
        try expectAborted(
            { $0.onData = { _, _ in throw Failure() } },
            by: { fixture, peer, _ in
                fixture.driver.deliver([1], on: peer)
                fixture.driver.deliver([2], on: peer)
            }
        )
    }

    @Test func survivesEOFReceived() throws {
        try expectAborted(
            { $0.onEOF = { _ in throw Failure() } },
            by: { fixture, peer, _ in
                fixture.driver.endStream(on: peer)
            }
        )
    }

    @Test func survivesPauseWriting() throws {
        try expectAborted(
            { $0.onPause = { _ in throw Failure() } },
            by: { _, _, handler in
                try handler.transport.setWriteBufferLimits(low: 0, high: 1)
                handler.transport.write(pattern(10))
            }
        )
    }

    @Test func survivesResumeWriting() throws {
        try expectAborted(
            { $0.onResume = { _ in throw Failure() } },
            by: { fixture, peer, handler in
                try handler.transport.setWriteBufferLimits(low: 0, high: 1)
                handler.transport.write(pattern(10))
                try fixture.settle()
                fixture.driver.completeSend(on: peer)
            }
        )
    }

    @Test func givesBackTheBytesOfAHandlerThatThrewWithThem() throws {
        let fixture = try LoopFixture()
        var kept: BytesBox?
        fixture.prepare = {
            $0.onData = { bytes, _ in
                kept = BytesBox(bytes)
                throw Failure()
            }
        }
        let (peer, _) = try fixture.connect()
        fixture.driver.deliver([5], on: peer)
        try fixture.settle()
        #expect(kept?.take()?.copyToArray() == [5])
        try fixture.expectBaseline()
    }

    @Test func passesAnIOErrorOn() throws {
        let fixture = try LoopFixture()
        let error = IOError(.write, reason: .peerGone)
        fixture.prepare = { $0.onMade = { _ in throw error } }
        let (_, handler) = try fixture.connect()
        #expect(handler.error == error)
        try fixture.expectBaseline()
    }

    @Test func closesTheConnectionOfAFactoryThatThrew() throws {
        let fixture = try LoopFixture()
        let listener = try fixture.loop.listen(on: scriptedLoopback) { throw Failure() }
        try fixture.settle()
        let descriptor = try #require(fixture.driver.openDescriptors.first)
        let peer = fixture.driver.acceptConnection(on: descriptor)
        try fixture.settle()
        #expect(fixture.failures.map(\.origin) == [.handlerFactory])
        #expect(!fixture.driver.openDescriptors.contains(peer))
        #expect(fixture.driver.inFlight(of: .accept, on: descriptor).count == 1)
        listener.close()
        try fixture.expectBaseline()
    }
}
