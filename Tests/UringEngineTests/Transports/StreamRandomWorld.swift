import Testing
import UringTesting

@testable import UringEngine

/// A stream, what its peer sent to it, what its handler wrote, and what the kernel was told to send.
final class RandomExchange {
    let peer: Descriptor
    let handler: RecordingHandler
    /// Delivered to the stream's receives.
    var delivered: [UInt8] = []
    /// What `write` took.
    var written: [UInt8] = []
    var isAborted = false
    var isPaused = false
    /// Which of the driver's operations are this stream's: its descriptor's number is used again.
    let firstOperation: Int
    var endOperation = Int.max

    var hasEnded: Bool { handler.log.last?.hasPrefix("lost") ?? false }
    var hasSeenEOF: Bool { handler.log.contains("eof") }
    /// Nothing but the program's own wish, or the peer's, ended it.
    var hasEndedCleanly: Bool { hasEnded && handler.error == nil && !isAborted }

    init(peer: Descriptor, handler: RecordingHandler, firstOperation: Int) {
        self.peer = peer
        self.handler = handler
        self.firstOperation = firstOperation
    }

    /// What the driver reported as sent, send by send.
    func sent(_ driver: ScriptedDriver) -> [UInt8] {
        let operations = driver.operations
        let own = operations[firstOperation..<min(endOperation, operations.count)]
        return own.filter { $0.kind == .send && $0.descriptor == peer }.flatMap(\.sentBytes)
    }
}

/// A kernel, peers and handlers that do whatever they may, by chance.
final class RandomWorld {
    let fixture: LoopFixture
    var generator: SeededGenerator
    var exchanges: [RandomExchange] = []

    var driver: ScriptedDriver { fixture.driver }

    init(seed: UInt64) throws {
        let driver = ScriptedDriver(answersCancels: seed % 2 == 0)
        driver.reusesDescriptorNumbers = true
        driver.capabilities.receiveBudget = seed % 3 == 0
        driver.capabilities.multishotReceive = seed % 4 != 1
        driver.capabilities.multishotAccept = seed % 5 != 1
        fixture = try LoopFixture(driver) {
            $0.bufferCount = 64
            $0.limits.completionsPerTickMax = 7
        }
        generator = SeededGenerator(seed: seed)
        try fixture.listen()
    }

    func random(_ range: Range<Int>) -> Int { .random(in: range, using: &generator) }

    func act() {
        switch random(0..<12) {
        case 0: accept()
        case 1...4: receive()
        case 5...7: completeSend()
        case 8: answerCancelled()
        case 9: driver.advance(by: .milliseconds(random(0..<400)))
        default: callTransport()
        }
    }

    // MARK: The kernel and the peers

    private func accept() {
        let listener = fixture.listenerDescriptor
        let armed = driver.inFlight(of: .accept, on: listener)
        guard exchanges.count < 6, armed.contains(where: { $0.state == .handedOver }) else {
            return
        }
        let known = fixture.handlers.count
        let firstOperation = driver.operations.count
        let peer = driver.acceptConnection(on: listener)
        for exchange in exchanges where exchange.peer == peer {
            exchange.endOperation = firstOperation
        }
        for _ in 0..<20 where fixture.handlers.count == known { try? fixture.tick() }
        guard let handler = fixture.handlers.last else { return }
        let exchange = RandomExchange(
            peer: peer,
            handler: handler,
            firstOperation: firstOperation
        )
        exchanges.append(exchange)
        handler.onData = { [unowned self, unowned exchange] bytes, transport in
            // In the middle of a batch, to itself and to others.
            if random(0..<2) == 0 { callTransport() }
            guard random(0..<4) == 0 else { return }
            let copy = bytes.copyToArray()
            if transport.write(bytes) { exchange.written += copy }
        }
    }

    private func armed(_ kind: OperationKind) -> (RandomExchange, OperationToken)? {
        let candidates = exchanges.compactMap { exchange in
            driver.inFlight(of: kind, on: exchange.peer).first { $0.state == .handedOver }
                .map { (exchange, $0.token) }
        }
        return candidates.randomElement(using: &generator)
    }

    private func receive() {
        guard let (exchange, token) = armed(.receive), let operation = driver.operation(token),
            case .receive(_, let budget, _) = operation.verb
        else { return }
        let choice = random(0..<20)
        if choice == 0 { return driver.endStream(on: exchange.peer) }
        if choice == 1 { return driver.fail(token, with: .connectionReset) }
        guard !driver.publishedBuffers.isEmpty else { return driver.fail(token, with: .noBuffers) }
        let left = budget - operation.deliveredByteCount
        let count = min(random(1..<65), max(left, 1))
        let bytes = pattern(count, from: exchange.delivered.count)
        exchange.delivered += bytes
        let isOver = choice == 2 || !driver.capabilities.multishotReceive
        driver.deliver(bytes, to: token, isTerminal: isOver ? true : nil)
    }

    private func completeSend() {
        guard let (exchange, token) = armed(.send),
            let count = driver.operation(token)?.verb.bytes.count
        else { return }
        switch random(0..<10) {
        case 0: driver.fail(token, with: .brokenPipe)
        case 1: driver.fail(token, with: .again)
        case 2...4 where count > 1: driver.complete(token, result: Int32(random(1..<count)))
        default: driver.completeSend(on: exchange.peer)
        }
    }

    /// Where cancels are not answered at once: the target ends, and then its cancel.
    func answerCancelled() {
        for cancel in driver.operations(of: .cancel) where cancel.state == .handedOver {
            guard case .cancel(let target) = cancel.verb else { continue }
            let operation = driver.operation(target)
            let isOver = operation?.state != .handedOver
            if let operation, !isOver { end(operation) }
            driver.complete(cancel.token, result: isOver ? -Errno.notFound.rawValue : 0)
        }
    }

    /// A cancelled send may have sent some of its bytes all the same.
    private func end(_ operation: ScriptedOperation) {
        let count = operation.kind == .send ? operation.verb.bytes.count : 0
        guard count > 1, random(0..<2) == 0 else {
            return driver.fail(operation.token, with: .cancelled)
        }
        driver.complete(operation.token, result: Int32(random(1..<count)))
    }

    // MARK: The program

    private func callTransport() {
        guard let exchange = exchanges.randomElement(using: &generator) else { return }
        let transport = exchange.handler.transport
        switch random(0..<12) {
        case 0: transport.close()
        case 1:
            transport.abort()
            exchange.isAborted = true
        case 2: transport.writeEOF()
        case 3, 4:
            transport.pauseReading()
            exchange.isPaused = true
        case 5...7:
            transport.resumeReading()
            exchange.isPaused = false
        default:
            let bytes = pattern(random(1..<600), from: exchange.written.count)
            if transport.write(bytes) { exchange.written += bytes }
        }
    }
}
