import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamStarvationTests {
    /// A kernel that answers ENOBUFS to each receive that finds data and no buffer.
    private final class Kernel {
        var pending: [Descriptor: [[UInt8]]] = [:]
        /// Those whose receive ended for want of a buffer.
        private var starved: Set<Descriptor> = []
        /// Receives that were armed behind such an end.
        var armCount = 0

        func react(_ operation: ScriptedOperation, _ driver: ScriptedDriver) {
            guard case .receive(let peer, _, _) = operation.verb else { return }
            if starved.remove(peer) != nil { armCount += 1 }
            serve(peer, operation.token, driver)
        }

        func serve(_ peer: Descriptor, _ token: OperationToken, _ driver: ScriptedDriver) {
            guard var waiting = pending[peer], !waiting.isEmpty else { return }
            guard !driver.publishedBuffers.isEmpty else {
                starved.insert(peer)
                return driver.fail(token, with: .noBuffers)
            }
            driver.deliver(waiting.removeFirst(), to: token, isTerminal: true)
            pending[peer] = waiting
        }
    }

    private func starvingFixture() throws -> LoopFixture {
        let driver = ScriptedDriver()
        driver.capabilities.receiveBudget = false
        return try LoopFixture(driver) { $0.bufferCount = 4 }
    }

    private func providedCount(_ fixture: LoopFixture) -> Int {
        fixture.driver.journal.count { event in
            if case .provided = event { true } else { false }
        }
    }

    @Test func armsTheStarvedInTheirOrderAsBuffersComeBack() throws {
        let fixture = try starvingFixture()
        var kept: [BytesBox] = []
        fixture.prepare = { $0.onData = { bytes, _ in kept.append(BytesBox(bytes)) } }
        let holder = try fixture.connect()
        for _ in 0..<3 { fixture.driver.deliver([0], on: holder.peer) }
        try fixture.settle()
        let peers = try (0..<3).map { _ in try fixture.connect().peer }
        // The last buffer goes to a stream that parks it, so that the pool is empty.
        holder.handler.transport.pauseReading()
        fixture.driver.deliver([0], on: holder.peer)
        for peer in peers.reversed() { fixture.driver.fail(.receive, on: peer, with: .noBuffers) }
        try fixture.tick()
        #expect(fixture.loop.starved.count == 3)
        fixture.loop.pool.checkInvariants()
        let armed = fixture.driver.operations(of: .receive).count
        // What is parked was copied, so one buffer is back: the first in line is armed.
        try fixture.settle()
        let order = fixture.driver.operations(of: .receive)[armed...].compactMap(\.descriptor)
        #expect(order.first == peers[2])
        for operation in fixture.driver.operations(of: .receive)[armed...] {
            guard case .receive(_, _, let waits) = operation.verb else { continue }
            #expect(!waits, "a multishot that looks for readiness first may miss a reset")
        }
        kept = []
        try fixture.settle()
        let all = fixture.driver.operations(of: .receive)[armed...].compactMap(\.descriptor)
        #expect(all == peers.reversed())
        #expect(fixture.loop.starved.isEmpty)
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func armsLessThanTwiceForEachReturn() throws {
        let fixture = try starvingFixture()
        let kernel = Kernel()
        var kept: [BytesBox] = []
        fixture.prepare = { $0.onData = { bytes, _ in kept.append(BytesBox(bytes)) } }
        let peers = try (0..<50).map { _ in try fixture.connect().peer }
        fixture.driver.onHandOver = { kernel.react($0, $1) }
        for (number, peer) in peers.enumerated() {
            kernel.pending[peer] = [[UInt8(number)], [UInt8(number), 1]]
        }
        for peer in peers {
            guard let receive = fixture.driver.inFlight(of: .receive, on: peer).first else {
                continue
            }
            kernel.serve(peer, receive.token, fixture.driver)
        }
        let provided = providedCount(fixture)
        for _ in 0..<400 {
            try fixture.tick()
            if fixture.loop.pool.lentCount >= 3 || fixture.driver.publishedBuffers.isEmpty {
                kept = []
            }
            if fixture.handlers.allSatisfy({ $0.received.count == 3 }) { break }
        }
        kept = []
        for (number, handler) in fixture.handlers.enumerated() {
            #expect(handler.received == [UInt8(number), UInt8(number), 1])
        }
        #expect(kernel.armCount > 0, "they did starve")
        #expect(kernel.armCount < 2 * (providedCount(fixture) - provided))
        fixture.driver.onHandOver = nil
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func waitsForAReturnInsteadOfSpinning() throws {
        let fixture = try starvingFixture()
        var kept: [BytesBox] = []
        fixture.prepare = { $0.onData = { bytes, _ in kept.append(BytesBox(bytes)) } }
        let first = try fixture.connect()
        let second = try fixture.connect()
        // Bytes are copied above three quarters: the test itself takes the last buffer.
        for _ in 0..<3 { fixture.driver.deliver([0], on: first.peer) }
        try fixture.settle()
        let last = try #require(fixture.driver.publishedBuffers.first)
        let token = try #require(fixture.driver.inFlight(of: .receive, on: first.peer).first?.token)
        fixture.driver.complete(token, result: 1, isTerminal: false, buffer: last)
        var batch = CompletionBatch(capacity: 4)
        fixture.driver.reap(into: &batch)
        kept.append(BytesBox(fixture.loop.pool.receive(try #require(batch[0].slice))))
        fixture.driver.fail(.receive, on: second.peer, with: .noBuffers)
        try fixture.settle()
        #expect(fixture.loop.starved.count == 1)
        let ticks = fixture.loop.metrics.ticks
        fixture.driver.onIdle = { _ in runOnThreads(1) { _ in kept.removeLast() } }
        try fixture.loop.runOnce(mayWait: true)
        #expect(fixture.driver.wakeCount == 1, "the return from outside wakes the loop")
        fixture.driver.onIdle = nil
        try fixture.settle()
        #expect(fixture.loop.starved.isEmpty)
        #expect(fixture.loop.metrics.ticks - ticks <= 3)
        kept = []
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func givesTheNextInLineItsTurnWhenTheFirstHaveNothingToRead() throws {
        let fixture = try starvingFixture()
        let peers = try (0..<9).map { _ in try fixture.connect().peer }
        for peer in peers { fixture.driver.fail(.receive, on: peer, with: .noBuffers) }
        try fixture.tick()
        #expect(fixture.loop.starved.count == 9)
        // Four buffers are there all the time; no return will ever come.
        for _ in 0..<4 { try fixture.loop.runOnce(mayWait: true) }
        #expect(fixture.loop.starved.count == 1)
        try fixture.tick()
        #expect(fixture.loop.starved.isEmpty)
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func standsBehindThoseThatWaitHoweverOftenItWasServed() throws {
        let fixture = try starvingFixture()
        let waiting = try (0..<2).map { _ in try fixture.connect().peer }
        let greedy = try fixture.connect()
        let served = try #require(fixture.driver.inFlight(of: .receive, on: greedy.peer).first)
        for peer in waiting { fixture.driver.fail(.receive, on: peer, with: .noBuffers) }
        fixture.driver.deliver([1], to: served.token, isTerminal: true)
        try fixture.tick()
        #expect(greedy.handler.received == [1])
        #expect(fixture.loop.starved.count == 3)
        let starvations = fixture.loop.metrics.starvations
        let armed = fixture.driver.operations(of: .receive).count
        // Two shares of the four buffers a tick.
        for _ in 0..<2 { try fixture.tick() }
        let order = fixture.driver.operations(of: .receive)[armed...].compactMap(\.descriptor)
        #expect(order == waiting + [greedy.peer])
        #expect(starvations == 2, "who was served did not starve")
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test(arguments: [(1, [4]), (2, [2, 2]), (3, [2, 2, 4])])
    func getsItsShareOfTheBuffers(_ peerCount: Int, _ shares: [Int]) throws {
        let fixture = try LoopFixture(ScriptedDriver()) { $0.bufferCount = 4 }
        let peers = try (0..<peerCount).map { _ in try fixture.connect().peer }
        for peer in peers { fixture.driver.fail(.receive, on: peer, with: .noBuffers) }
        try fixture.tick()
        let armed = fixture.driver.operations(of: .receive).count
        for _ in 0..<2 { try fixture.tick() }
        let budgets = fixture.driver.operations(of: .receive)[armed...].map { operation in
            guard case .receive(_, let budget, _) = operation.verb else { return 0 }
            return budget / fixture.loop.options.bufferBytes
        }
        // The third finds all four buffers again: the others had nothing to read.
        #expect(budgets == shares)
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func leavesTheLineWhenItEnds() throws {
        let fixture = try starvingFixture()
        let first = try fixture.connect()
        let second = try fixture.connect()
        for peer in [first.peer, second.peer] {
            fixture.driver.fail(.receive, on: peer, with: .noBuffers)
        }
        try fixture.tick()
        #expect(fixture.loop.starved.count == 2)
        first.handler.transport.abort()
        second.handler.transport.close()
        try fixture.settle()
        #expect(first.handler.log.last == "lost")
        #expect(second.handler.log.last == "lost")
        #expect(fixture.loop.starved.isEmpty)
        try fixture.endPeer(second.peer)
        try fixture.expectBaseline()
    }
}
