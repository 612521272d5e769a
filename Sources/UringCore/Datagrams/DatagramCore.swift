/// What stands between an endpoint's callbacks and the tasks that receive and send.
///
/// Completions are plain callbacks into this object. Datagrams stay with the transport, which bounds
/// them.
///
/// > Thread: On-loop only, but for what says otherwise.
/// > Ownership: The transport holds it until `connectionLost`, every `DatagramEndpoint` as long as it
/// > lives.
final class DatagramCore: @unchecked Sendable {
    // Safety: every way in checks that it is on the loop's thread, or posts.

    let shard: Shard
    let loop: EventLoop
    private var made: DatagramTransport?
    private let reader: Waiter
    // Made when first needed: most endpoints never wait to send.
    private var writer: Waiter?
    private var closer: Waiter?
    private var condition = Condition()
    /// What the network said last, until a receive throws it.
    private var networkError: IOError?

    init(shard: Shard) {
        self.shard = shard
        self.loop = shard.loop
        if shard.isDrainingHere { condition.insert(.draining) }
        self.reader = Waiter(loop: shard.loop)
    }

    /// What keeps receives and sends off the plain way.
    private struct Condition: OptionSet {
        let rawValue: UInt8

        static let draining = Condition(rawValue: 1)
        /// `connectionLost` was called.
        static let lost = Condition(rawValue: 2)
        static let writingPaused = Condition(rawValue: 4)
        /// `close` or `abort` was called.
        static let closing = Condition(rawValue: 8)
    }

    var transport: DatagramTransport {
        guard let made else { preconditionFailure("an endpoint is handed out after it was made") }
        return made
    }

    // MARK: Checks

    var isOnShard: Bool { loop.isRunningHere }

    func checkShard(_ operation: IOError.Operation) throws(IOError) {
        guard loop.isRunningHere else {
            throw IOError(
                operation,
                reason: .wrongShard,
                detail: "this endpoint lives on shard \(shard.index); use submit(to:)"
            )
        }
    }

    private func endError(_ operation: IOError.Operation) -> IOError {
        transport.lossError ?? IOError(operation, reason: .closed)
    }

    private func busy(_ operation: IOError.Operation) -> IOError {
        IOError(operation, reason: .busy, detail: "another task waits for the same")
    }

    // MARK: Receiving

    /// Takes what came, or waits for it; nil when the shard drains and nothing is held.
    func receive(timeout: Duration?) async throws(IOError) -> Datagram? {
        try checkShard(.receive)
        // Or a reader that was resumed and has not run yet would find nothing.
        if reader.isBusy { throw busy(.receive) }
        while true {
            if let datagram = transport.takeHeld() { return datagram }
            if try isReceiveOver() { return nil }
            await reader.wait(timeout: timeout, isCancelledElsewhere: false)
            try shard.check(reader.finish(), .receive)
        }
    }

    private func isReceiveOver() throws(IOError) -> Bool {
        if condition.contains(.closing) { throw endError(.receive) }
        if let error = networkError {
            networkError = nil
            throw error
        }
        if condition.contains(.lost) { throw endError(.receive) }
        return condition.contains(.draining)
    }

    // MARK: Sending

    /// Before anything is sent: what one send throws, it has not sent.
    func checkSending() throws(IOError) {
        try checkShard(.send)
        guard condition.isDisjoint(with: [.closing, .lost]) else { throw endError(.send) }
        if let writer, writer.isBusy { throw busy(.send) }
    }

    /// Waits until less waits to be sent.
    func awaitRoom(timeout: Duration?) async throws(IOError) {
        guard condition.contains(.writingPaused) else { return }
        let waiter = writer ?? Waiter(loop: loop)
        writer = waiter
        guard !waiter.isBusy else { throw busy(.send) }
        await waiter.wait(timeout: timeout, isCancelledElsewhere: false)
        try shard.check(waiter.finish(), .send)
        if condition.contains(.lost) { throw endError(.send) }
    }

    // MARK: Ending

    /// Closes after everything that was queued has been sent.
    func close() {
        endInput()
        transport.close()
    }

    /// Ends at once.
    ///
    /// > Thread: Any thread.
    func abort() {
        loop.perform { [self] in
            endInput()
            transport.abort()
        }
    }

    /// Nothing is received any more.
    private func endInput() {
        condition.insert(.closing)
        reader.resume()
    }

    /// Waits until the descriptor is closed.
    func awaitEnd(timeout: Duration?) async throws(IOError) {
        if !condition.contains(.lost) {
            let waiter = closer ?? Waiter(loop: loop)
            closer = waiter
            guard !waiter.isBusy else { throw busy(.close) }
            await waiter.wait(timeout: timeout, isCancelledElsewhere: false)
            try shard.check(waiter.finish(), .close)
        }
        if let error = transport.lossError { throw error }
    }
}

extension DatagramCore: DatagramHandler {
    func connectionMade(_ transport: DatagramTransport) {
        made = transport
    }

    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) {
        transport.hold(datagram)
        reader.resume()
    }

    func errorReceived(_ error: IOError, on transport: DatagramTransport) {
        networkError = error
        reader.resume()
    }

    func pauseWriting(on transport: DatagramTransport) {
        condition.insert(.writingPaused)
    }

    func resumeWriting(on transport: DatagramTransport) {
        condition.remove(.writingPaused)
        writer?.resume()
    }

    func connectionLost(_ transport: DatagramTransport, error: IOError?) {
        condition.insert(.lost)
        condition.remove(.writingPaused)
        reader.resume()
        writer?.resume()
        closer?.resume()
    }

    /// The first time its receiver is told that nothing more will come; the second time, when the handlers
    /// have ended, nobody is left to send.
    func drainStarted(on transport: DatagramTransport) {
        if condition.contains(.draining) || shard.state.isOver { return close() }
        condition.insert(.draining)
        reader.resume()
    }
}
