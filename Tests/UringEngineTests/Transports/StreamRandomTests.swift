import Testing
import UringTesting

@testable import UringEngine

/// Random peers, handlers and kernels: whatever happens, streams keep their order, end once, and
/// leave nothing behind.
///
/// The seed stands in the argument; the same seed gives the same run.
@Suite struct StreamRandomTests {
    /// A stream, what its peer sent, and what its handler wrote.
    private final class Exchange {
        let peer: Descriptor
        let handler: RecordingHandler
        var sent: [UInt8] = []
        var written: [UInt8] = []
        var hasEnded: Bool { handler.log.last?.hasPrefix("lost") ?? false }

        init(peer: Descriptor, handler: RecordingHandler) {
            self.peer = peer
            self.handler = handler
        }
    }

    private final class World {
        let fixture: LoopFixture
        var generator: SeededGenerator
        var exchanges: [Exchange] = []
        var finished: [Exchange] = []

        var driver: ScriptedDriver { fixture.driver }

        init(fixture: LoopFixture, seed: UInt64) {
            self.fixture = fixture
            self.generator = SeededGenerator(seed: seed)
        }

        func random(_ range: Range<Int>) -> Int { .random(in: range, using: &generator) }
    }

    private func makeWorld(seed: UInt64) throws -> World {
        let driver = ScriptedDriver(answersCancels: seed % 2 == 0)
        driver.reusesDescriptorNumbers = true
        driver.capabilities.receiveBudget = seed % 3 == 0
        driver.capabilities.multishotReceive = seed % 4 != 1
        driver.capabilities.multishotAccept = seed % 5 != 1
        let fixture = try LoopFixture(driver) {
            $0.bufferCount = 64
            $0.limits.completionsPerTickMax = 7
        }
        try fixture.listen()
        return World(fixture: fixture, seed: seed)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func keepsEveryPromise(seed: UInt64) throws {
        let world = try makeWorld(seed: seed)
        for _ in 0..<1_500 {
            act(world)
            if world.random(0..<4) == 0 { try world.fixture.tick() }
            try retire(world)
        }
        for exchange in world.exchanges { exchange.handler.transport.abort() }
        for _ in 0..<40 {
            answerCancelled(world)
            world.driver.advance(by: .milliseconds(200))
            try world.fixture.tick()
            try retire(world)
        }
        #expect(world.exchanges.isEmpty)
        world.driver.answersCancels = true
        try world.fixture.expectBaseline()
    }

    private func retire(_ world: World) throws {
        for exchange in world.exchanges where exchange.hasEnded {
            #expect(exchange.sent.starts(with: exchange.handler.received), "in order, none twice")
            world.finished.append(exchange)
        }
        world.exchanges.removeAll { $0.hasEnded }
    }

    private func act(_ world: World) {
        switch world.random(0..<12) {
        case 0: accept(world)
        case 1...4: receive(world)
        case 5...7: completeSend(world)
        case 8: answerCancelled(world)
        case 9: world.driver.advance(by: .milliseconds(world.random(0..<400)))
        default: callTransport(world)
        }
    }

    private func accept(_ world: World) {
        let listener = world.fixture.listenerDescriptor
        let armed = world.driver.inFlight(of: .accept, on: listener)
        guard world.exchanges.count < 6, armed.contains(where: { $0.state == .handedOver }) else {
            return
        }
        let known = world.fixture.handlers.count
        let peer = world.driver.acceptConnection(on: listener)
        for _ in 0..<20 where world.fixture.handlers.count == known { try? world.fixture.tick() }
        guard let handler = world.fixture.handlers.last else { return }
        let exchange = Exchange(peer: peer, handler: handler)
        world.exchanges.append(exchange)
        handler.onData = { [unowned world] bytes, transport in
            // In the middle of a batch, to itself and to others.
            if world.random(0..<2) == 0 { callTransport(world) }
            if world.random(0..<4) == 0 { transport.write(bytes) }
        }
    }

    private func armed(_ kind: OperationKind, _ world: World) -> (Exchange, OperationToken)? {
        let candidates = world.exchanges.compactMap { exchange in
            world.driver.inFlight(of: kind, on: exchange.peer).first { $0.state == .handedOver }
                .map { (exchange, $0.token) }
        }
        return candidates.randomElement(using: &world.generator)
    }

    private func receive(_ world: World) {
        guard let (exchange, token) = armed(.receive, world) else { return }
        guard let operation = world.driver.operation(token),
            case .receive(_, let budget, _) = operation.verb
        else { return }
        let choice = world.random(0..<20)
        if choice == 0 { return world.driver.endStream(on: exchange.peer) }
        if choice == 1 { return world.driver.fail(token, with: .connectionReset) }
        guard !world.driver.publishedBuffers.isEmpty else {
            return world.driver.fail(token, with: .noBuffers)
        }
        let left = budget - operation.deliveredByteCount
        let count = min(world.random(1..<65), max(left, 1))
        let bytes = pattern(count, from: exchange.sent.count)
        exchange.sent += bytes
        let isOver = choice == 2 || !world.driver.capabilities.multishotReceive
        world.driver.deliver(bytes, to: token, isTerminal: isOver ? true : nil)
    }

    private func completeSend(_ world: World) {
        guard let (exchange, token) = armed(.send, world),
            let count = world.driver.operation(token)?.verb.bytes.count
        else { return }
        switch world.random(0..<10) {
        case 0: world.driver.fail(token, with: .brokenPipe)
        case 1: world.driver.fail(token, with: .again)
        case 2...4 where count > 1:
            world.driver.complete(token, result: Int32(world.random(1..<count)))
        default: world.driver.completeSend(on: exchange.peer)
        }
    }

    /// Where cancels are not answered at once: the target ends, and then its cancel.
    private func answerCancelled(_ world: World) {
        for cancel in world.driver.operations(of: .cancel) where cancel.state == .handedOver {
            guard case .cancel(let target) = cancel.verb else { continue }
            let state = world.driver.operation(target)?.state
            if state == .handedOver { world.driver.fail(target, with: .cancelled) }
            let isOver = state != .handedOver
            world.driver.complete(cancel.token, result: isOver ? -Errno.notFound.rawValue : 0)
        }
    }

    private func callTransport(_ world: World) {
        guard let exchange = world.exchanges.randomElement(using: &world.generator) else { return }
        let transport = exchange.handler.transport
        switch world.random(0..<12) {
        case 0: transport.close()
        case 1: transport.abort()
        case 2: transport.writeEOF()
        case 3, 4: transport.pauseReading()
        case 5...7: transport.resumeReading()
        default:
            let bytes = pattern(world.random(1..<600), from: exchange.written.count)
            if transport.write(bytes) { exchange.written += bytes }
        }
    }
}
