import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamEchoTests {
    /// The enters of each of the next ticks.
    private func enters(_ fixture: LoopFixture, ofTicks count: Int) throws -> [UInt64] {
        try (0..<count).map { _ in
            let before = fixture.driver.metrics.enters
            try fixture.tick()
            return fixture.driver.metrics.enters - before
        }
    }

    @Test func echoesWithOneEnterATick() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.echo() }
        let (peer, handler) = try fixture.connect()
        for round in 0..<20 {
            fixture.driver.deliver(pattern(32, from: round), on: peer)
            // The bytes are there already; then one enter hands the send over; then nothing is left.
            #expect(try enters(fixture, ofTicks: 4) == [0, 1, 0, 0])
            fixture.driver.completeSend(on: peer)
            #expect(try enters(fixture, ofTicks: 3) == [0, 0, 0], "its end asks for nothing")
        }
        #expect(handler.received.count == 640)
        #expect(fixture.driver.sentBytes(on: peer) == handler.received)
        #expect(fixture.loop.pool.lentCount == 0)
        try fixture.endPeer(peer)
        #expect(handler.log.suffix(2) == ["eof", "lost"])
        try fixture.expectBaseline()
    }

    /// Bytes that come while a send ends: both are taken in one tick, and cost one enter together.
    @Test func entersOnceForAllThatATickBrings() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.echo() }
        let peers = try (0..<8).map { _ in try fixture.connect().peer }
        for peer in peers { fixture.driver.deliver([1], on: peer) }
        #expect(try enters(fixture, ofTicks: 2) == [0, 1])
        for round in 2..<20 as Range<UInt8> {
            for peer in peers {
                fixture.driver.completeSend(on: peer)
                fixture.driver.deliver([round], on: peer)
            }
            #expect(try enters(fixture, ofTicks: 2) == [0, 1])
        }
        for peer in peers { fixture.driver.completeSend(on: peer) }
        #expect(try enters(fixture, ofTicks: 2) == [0, 0])
        for peer in peers {
            #expect(fixture.driver.sentBytes(on: peer) == Array(1..<20))
            fixture.driver.endStream(on: peer)
        }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func entersNothingWhileCompletionsAreUnread() throws {
        let fixture = try LoopFixture { $0.limits.completionsPerTickMax = 2 }
        fixture.prepare = { $0.echo() }
        let (peer, handler) = try fixture.connect()
        for round in 0..<6 { fixture.driver.deliver([UInt8(round)], on: peer) }
        let enters = fixture.driver.metrics.enters
        try fixture.tick(3)
        #expect(fixture.driver.metrics.enters == enters)
        #expect(handler.received == [0, 1, 2, 3, 4, 5])
        try fixture.settle()
        #expect(fixture.driver.metrics.enters > enters)
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        if let send = fixture.driver.inFlight(of: .send, on: peer).first {
            fixture.driver.complete(send.token, result: Int32(send.verb.bytes.count))
            try fixture.settle()
        }
        #expect(fixture.driver.sentBytes(on: peer) == [0, 1, 2, 3, 4, 5])
        try fixture.endPeer(peer)
        try fixture.expectBaseline()
    }

    @Test func servesManyConnectionsInOneBatch() throws {
        let fixture = try LoopFixture()
        fixture.prepare = { $0.echo() }
        let peers = try (0..<40).map { _ in try fixture.connect().peer }
        let enters = fixture.driver.metrics.enters
        for (number, peer) in peers.enumerated() {
            fixture.driver.deliver([UInt8(number)], on: peer)
        }
        try fixture.settle()
        #expect(fixture.driver.metrics.enters - enters == 1, "all sends go in at once")
        for peer in peers { fixture.driver.completeSend(on: peer) }
        try fixture.settle()
        for (number, peer) in peers.enumerated() {
            #expect(fixture.driver.sentBytes(on: peer) == [UInt8(number)])
            fixture.driver.endStream(on: peer)
        }
        try fixture.settle()
        #expect(fixture.handlers.allSatisfy { $0.log.last == "lost" })
        try fixture.expectBaseline()
    }

    @Test func worksWithoutAnyMultishot() throws {
        let fixture = try LoopFixture(ScriptedDriver(capabilities: Capabilities()))
        fixture.prepare = { $0.echo() }
        let first = try fixture.connect()
        let second = try fixture.connect()
        for round in 0..<5 {
            for (peer, _) in [first, second] {
                fixture.driver.deliver(pattern(9, from: round), on: peer)
                try fixture.settle()
                fixture.driver.completeSend(on: peer)
                try fixture.settle()
            }
        }
        for (peer, handler) in [first, second] {
            #expect(fixture.driver.sentBytes(on: peer) == handler.received)
            #expect(handler.received.count == 45)
            try fixture.endPeer(peer)
        }
        try fixture.expectBaseline()
    }
}
