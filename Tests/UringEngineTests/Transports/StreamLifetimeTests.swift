import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamLifetimeTests {
    /// A handler that does not keep its transport: the loop alone does.
    private final class Forgetful: StreamHandler {
        weak var transport: StreamTransport?
        var log: [String] = []
        var closes = false

        func connectionMade(_ transport: StreamTransport) {
            self.transport = transport
        }

        func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
            transport.write(bytes)
            if closes { transport.close() }
        }

        func connectionLost(_ transport: StreamTransport, error: IOError?) {
            log.append(error.map { "lost: \($0.reason)" } ?? "lost")
        }
    }

    private func connect(_ fixture: LoopFixture) throws -> (Descriptor, Forgetful) {
        let handler = Forgetful()
        let listener = try fixture.loop.listen(on: scriptedLoopback) { handler }
        try fixture.settle()
        let descriptor = try #require(fixture.driver.openDescriptors.first)
        let peer = fixture.driver.acceptConnection(on: descriptor)
        try fixture.settle()
        listener.close()
        try fixture.settle()
        return (peer, handler)
    }

    @Test func isKeptByTheLoopUntilAnOrderlyEnd() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        handler.closes = true
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        #expect(handler.transport != nil)
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        #expect(handler.log == ["lost"])
        #expect(handler.transport == nil)
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test(arguments: [true, false]) func isKeptByTheLoopUntilAnAbort(hasError: Bool) throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        if hasError {
            fixture.driver.fail(.receive, on: peer, with: .connectionReset)
        } else {
            handler.transport?.abort()
        }
        try fixture.settle()
        #expect(handler.log == [hasError ? "lost: ECONNRESET (104)" : "lost"])
        #expect(handler.transport == nil)
        try fixture.expectBaseline()
    }

    @Test func isKeptByTheLoopThroughAnEOF() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try connect(fixture)
        fixture.driver.endStream(on: peer)
        try fixture.settle()
        #expect(handler.log == ["lost"])
        #expect(handler.transport == nil)
        try fixture.expectBaseline()
    }

    @Test func letsGoOfItsHandler() throws {
        let fixture = try LoopFixture()
        weak var handler: Forgetful?
        do {
            let (peer, made) = try connect(fixture)
            handler = made
            fixture.driver.endStream(on: peer)
        }
        try fixture.settle()
        #expect(handler == nil)
        try fixture.expectBaseline()
    }

    @Test func letsALoopThatWasNeverShutDownGo() throws {
        weak var loop: EventLoop?
        weak var pool: BufferPool?
        var kept: BytesBox?
        try {
            let fixture = try LoopFixture()
            loop = fixture.loop
            pool = fixture.loop.pool
            fixture.prepare = { $0.onData = { bytes, _ in kept = BytesBox(bytes) } }
            let (peer, handler) = try fixture.connect()
            fixture.driver.deliver([3], on: peer)
            try fixture.settle()
            handler.transport.abort()
            fixture.listener?.close()
            try fixture.settle()
            fixture.handlers = []
        }()
        #expect(loop == nil)
        #expect(pool != nil, "its memory stays as long as bytes are out")
        #expect(kept?.take()?.copyToArray() == [3])
        #expect(pool == nil)
    }
}
