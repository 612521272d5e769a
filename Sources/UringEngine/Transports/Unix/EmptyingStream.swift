/// What is left of a Unix stream after its end was sent: it reads and drops what the peer sent
/// before, then closes.
///
/// Both directions are shut, so the peer can add nothing and this ends by itself, without a limit.
/// What was sent lies with the peer already: no close destroys it. But a close(2) with unread input
/// gives the peer ECONNRESET after it, where the end of the stream is meant (unix_release_sock; seen
/// on Linux 6.18). MSG_TRUNC without memory, which discards on TCP, is EFAULT here.
///
/// > Thread: On-loop only.
package final class EmptyingStream: DescriptorOwner {
    private let loop: EventLoop
    private let descriptor: Descriptor
    private var receive: OperationToken?
    private var isEnding = false

    init(loop: EventLoop, descriptor: Descriptor) {
        self.loop = loop
        self.descriptor = descriptor
    }

    /// Goes on where the transport left off; `receive` is its armed receive.
    func start(receive: OperationToken?, hasSeenEOF: Bool) {
        self.receive = receive
        if hasSeenEOF { return end() }
        guard let receive else { return readOn() }
        // It may sleep through a shutdown of its own socket; the next one looks.
        loop.cancel(receive, on: slot)
    }

    /// Drops what the peer sent, and closes when nothing is left.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        if completion.buffer != .none { loop.pool.drop(loop.pool.lease(completion.buffer)) }
        guard completion.isTerminal else { return }
        receive = nil
        guard !isEnding else { return }
        switch completion.errno {
        case nil where completion.result == 0:
            end()
        case nil, .some(.cancelled), .some(.again), .some(.interrupted):
            readOn()
        case .some:
            // ECONNRESET: the peer is gone. ENOBUFS: others need the buffers more than this peer
            // needs the right kind of end.
            end()
        }
    }

    /// The connection's place is free only now: its descriptor was still in use.
    package override func descriptorClosed() {
        loop.openConnections -= 1
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { receive.map { [$0] } ?? [] }

    /// Closes now.
    package override func endForShutdown() {
        end()
    }

    /// Never looks for readiness first: see `StreamTransport.submitReceive`.
    private func readOn() {
        let token = loop.begin(.receive, on: slot)
        receive = token
        loop.driver.receive(
            token,
            from: descriptor,
            byteBudget: loop.inputCapBytes,
            waitForReadiness: false
        )
    }

    private func end() {
        guard !isEnding else { return }
        isEnding = true
        loop.close(slot, mode: .orderly)
    }
}
