import Testing
import UringTesting

@testable import UringEngine

/// Random peers, handlers and kernels: whatever happens, streams keep their order, lose nothing, end
/// once, and leave nothing behind.
///
/// The seed stands in the argument; the same seed gives the same run.
@Suite struct StreamRandomTests {
    /// What was compared with something in it.
    private struct Tally {
        var receivedBytes = 0
        var sentBytes = 0
        var wholeInputs = 0
        var wholeOutputs = 0
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func keepsEveryPromise(seed: UInt64) throws {
        let world = try RandomWorld(seed: seed)
        var tally = Tally()
        for step in 0..<1_500 {
            world.act()
            if world.random(0..<4) == 0 { try world.fixture.tick() }
            if step % 50 == 49 { try compareTheLiving(world) }
            try retire(world, &tally)
        }
        for exchange in world.exchanges {
            exchange.handler.transport.abort()
            exchange.isAborted = true
        }
        for _ in 0..<40 {
            world.answerCancelled()
            world.driver.advance(by: .milliseconds(200))
            try world.fixture.tick()
            try retire(world, &tally)
        }
        #expect(world.exchanges.isEmpty)
        #expect(tally.receivedBytes > 0 && tally.sentBytes > 0)
        #expect(tally.wholeInputs > 0 && tally.wholeOutputs > 0)
        world.driver.answersCancels = true
        try world.fixture.expectBaseline()
    }

    /// Those that have ended: everything came, and everything went, unless something cut it off; and
    /// then what came or went is how it began.
    private func retire(_ world: RandomWorld, _ tally: inout Tally) throws {
        for exchange in world.exchanges where exchange.hasEnded {
            let received = exchange.handler.received
            let sent = exchange.sent(world.driver)
            #expect(exchange.delivered.starts(with: received), "in order, none twice")
            #expect(exchange.written.starts(with: sent), "in order, none twice")
            // A stream that its handler closed drops what still comes.
            if exchange.hasSeenEOF {
                #expect(received == exchange.delivered, "all before the end")
                tally.wholeInputs += received.isEmpty ? 0 : 1
            }
            if exchange.hasEndedCleanly {
                #expect(sent == exchange.written, "all before the close")
                tally.wholeOutputs += sent.isEmpty ? 0 : 1
            }
            tally.receivedBytes += received.count
            tally.sentBytes += sent.count
        }
        world.exchanges.removeAll { $0.hasEnded }
    }

    /// With nothing left to do but what the kernel has: what is not sent is queued, and what came has
    /// been delivered.
    private func compareTheLiving(_ world: RandomWorld) throws {
        try world.fixture.settle()
        for exchange in world.exchanges where !exchange.hasEnded {
            let sent = exchange.sent(world.driver)
            #expect(exchange.written.starts(with: sent))
            if exchange.isAborted { continue }
            let transport = exchange.handler.transport
            #expect(sent.count + transport.writes.byteCount == exchange.written.count)
            guard !exchange.isPaused, !transport.isClosing else { continue }
            #expect(exchange.handler.received == exchange.delivered)
        }
    }
}
