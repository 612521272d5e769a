import UringEngine

/// What is under way between two sockets: segments in order, ends, resets.
extension SimulatedKernel {
    private static let segmentBytesMax = 4_096

    /// Connects two sockets.
    func join(_ one: SimulatedSocket, _ other: SimulatedSocket) {
        one.peer = other
        other.peer = one
        one.phase = .connected
        other.phase = .connected
    }

    /// When something that `socket` sends now arrives: after all that it sent before.
    private func arrival(from socket: SimulatedSocket) -> UInt64 {
        socket.lastArrival = max(socket.lastArrival, clock &+ delay())
        return socket.lastArrival
    }

    // MARK: Sending

    /// Takes bytes of a send over.
    func push(_ bytes: [UInt8], from socket: SimulatedSocket) {
        if socket.isUnix, let peer = socket.peer {
            peer.input.append(bytes)
            return wakeReaders(of: peer)
        }
        socket.output.append(bytes)
        wantTransmit(socket)
    }

    func wantTransmit(_ socket: SimulatedSocket) {
        guard !socket.isTransmitting else { return }
        socket.isTransmitting = true
        after(delay(), .transmit(socket))
    }

    /// Sends what the peer's window has room for, then the end where it is due.
    func transmit(_ socket: SimulatedSocket) {
        socket.isTransmitting = false
        guard socket.phase == .connected, !socket.isReset, let peer = socket.peer else { return }
        while socket.output.count > 0, peer.window > 0 {
            let most = min(socket.output.count, peer.window, Self.segmentBytesMax)
            let bytes = socket.output.take(random.below(2) == 0 ? most : random.between(1, most))
            peer.inTransit += bytes.count
            events.add(at: arrival(from: socket), .segment(peer, bytes))
        }
        if socket.output.isEmpty, socket.isOutputShut, !socket.isEndSent {
            socket.isEndSent = true
            events.add(at: arrival(from: socket), .fin(peer))
        }
    }

    // MARK: Arriving

    func arrive(_ bytes: [UInt8], at socket: SimulatedSocket) {
        socket.inTransit -= bytes.count
        trace.add(.segment, shard: -1, clock: clock, (socket.number, bytes.count, 0))
        hasHeard(socket)
        guard socket.phase == .connected, !socket.isReset else { return }
        if random.happens(faults.resets) { return cut(socket) }
        // Nobody will read it: tcp_rcv_state_process answers with a reset.
        guard socket.isHeld else { return resetAndRetire(socket) }
        socket.input.append(bytes)
        if let sender = socket.peer {
            sender.acknowledged += UInt64(bytes.count)
            letGoOfAcknowledged(by: sender)
            wakeWriters(of: sender)
        }
        wakeReaders(of: socket)
    }

    /// Whatever comes from the other end also says that the connection stands.
    private func hasHeard(_ socket: SimulatedSocket) {
        if socket.phase == .connecting, socket.peer != nil { established(socket) }
    }

    func arriveEnd(at socket: SimulatedSocket) {
        trace.add(.fin, shard: -1, clock: clock, (socket.number, 0, 0))
        hasHeard(socket)
        guard socket.phase == .connected, !socket.isReset else { return }
        socket.hasEnd = true
        wakeReaders(of: socket)
        endIfOver(socket)
    }

    /// Both directions have ended and nobody holds either end any more.
    private func endIfOver(_ socket: SimulatedSocket) {
        guard let peer = socket.peer else { return }
        guard socket.isEndSent, peer.isEndSent, socket.hasEnd, peer.hasEnd else { return }
        if !socket.isHeld, !peer.isHeld { forget(socket, peer) }
    }

    private func forget(_ one: SimulatedSocket, _ other: SimulatedSocket) {
        one.phase = .dead
        other.phase = .dead
        one.peer = nil
        other.peer = nil
        sockets.removeAll { $0 === one || $0 === other }
    }

    func arriveReset(at socket: SimulatedSocket) {
        trace.add(.reset, shard: -1, clock: clock, (socket.number, 0, 0))
        hasHeard(socket)
        guard socket.phase == .connected, !socket.isReset else { return }
        guard socket.isHeld else { return retire(socket) }
        socket.isReset = true
        socket.error = .connectionReset
        socket.output.removeAll()
        letGoOfAcknowledged(by: socket)
        // A reset leaves what had come before, on Linux; a program must not count on it.
        if random.below(4) == 0 { socket.input.removeAll() }
        wakeReaders(of: socket)
        wakeWriters(of: socket)
    }

    /// Ends a connection at once, and tells the other end.
    func reset(_ socket: SimulatedSocket, telling peer: SimulatedSocket?) {
        socket.isReset = true
        socket.output.removeAll()
        letGoOfAcknowledged(by: socket)
        if let peer { events.add(at: arrival(from: socket), .reset(peer)) }
    }

    /// The network gives a connection up: both ends are told.
    func cut(_ socket: SimulatedSocket) {
        guard let peer = socket.peer, socket.phase == .connected else { return }
        arriveReset(at: socket)
        arriveReset(at: peer)
    }

    // MARK: Ending

    /// shutdown(2).
    func shutDown(_ socket: SimulatedSocket, _ direction: ShutdownDirection) {
        socket.isOutputShut = true
        wakeWriters(of: socket)
        guard socket.isUnix else {
            if direction == .both { socket.isInputShut = true }
            return wantTransmit(socket)
        }
        socket.isEndSent = true
        socket.peer?.hasEnd = true
        if direction == .both {
            // unix_shutdown: the peer can send nothing more, and this end sees its end.
            socket.hasEnd = true
            socket.peer?.isOutputShut = true
            if let peer = socket.peer { wakeWriters(of: peer) }
            wakeReaders(of: socket)
        }
        if let peer = socket.peer { wakeReaders(of: peer) }
    }

    /// The last descriptor of a socket is closed.
    func release(_ socket: SimulatedSocket) {
        socket.isHeld = false
        switch socket.phase {
        case .listening: releaseListener(socket)
        case .connected where socket.isUnix: releaseUnix(socket)
        case .connected where !socket.isReset: releaseStream(socket)
        case .connecting where socket.peer != nil: resetAndRetire(socket)
        case .fresh, .bound, .connecting, .connected, .dead: retire(socket)
        }
    }

    private func releaseListener(_ socket: SimulatedSocket) {
        for waiting in socket.queue {
            waiting.isHeld = false
            if socket.isUnix { releaseUnix(waiting) } else { resetAndRetire(waiting) }
        }
        socket.queue = []
        retire(socket)
    }

    private func releaseUnix(_ socket: SimulatedSocket) {
        if let peer = socket.peer {
            peer.hasEnd = true
            peer.isOutputShut = true
            // unix_release_sock: unread input is ECONNRESET for its sender.
            if !socket.input.isEmpty, !socket.isPipe { peer.error = .connectionReset }
            peer.peer = nil
            wakeReaders(of: peer)
            wakeWriters(of: peer)
        }
        retire(socket)
    }

    private func releaseStream(_ socket: SimulatedSocket) {
        // tcp_close: unread input is answered with a reset, whatever was still to be sent.
        if socket.resetsOnClose || !socket.input.isEmpty { return resetAndRetire(socket) }
        socket.isOutputShut = true
        wantTransmit(socket)
        endIfOver(socket)
    }

    private func resetAndRetire(_ socket: SimulatedSocket) {
        reset(socket, telling: socket.peer)
        retire(socket)
    }

    /// Nothing will be asked of it any more.
    ///
    /// What is under way to it finds it dead.
    private func retire(_ socket: SimulatedSocket) {
        socket.phase = .dead
        socket.input.removeAll()
        socket.peer = nil
        sockets.removeAll { $0 === socket }
    }

    // MARK: Waking

    func wakeReaders(of socket: SimulatedSocket) {
        let waiting = socket.readers
        socket.readers = []
        for operation in waiting { attemptSoon(operation) }
    }

    func wakeWriters(of socket: SimulatedSocket) {
        let waiting = socket.writers
        socket.writers = []
        for operation in waiting { attemptSoon(operation) }
    }
}
