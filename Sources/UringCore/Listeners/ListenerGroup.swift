internal import Synchronization

/// One listening address of a server, and the part of each shard in it.
///
/// Sockets belong to the group and not to the shard that accepts on them: a handler that is restarted
/// gets its socket back, and nobody who waits in its backlog is reset.
///
/// > Thread: Any thread, where a member does not say otherwise.
/// > Ownership: It holds the sockets until `close`.
final class ListenerGroup: Sendable {
    /// Where it listens; port 0 is resolved.
    let address: SocketAddress
    let placement: ListenerPlacement
    let shares: [ListenerShare]
    private let sockets: Mutex<ListenerSockets>
    private let balance: Balance

    /// Takes bound sockets over: one, or one for each shard.
    init(
        placement: ListenerPlacement,
        sockets: ListenerSockets,
        shards: [Shard],
        balance: Balance
    ) {
        self.address = sockets.address
        self.placement = placement
        self.shares = shards.map(ListenerShare.init)
        self.sockets = Mutex(sockets)
        self.balance = balance
    }

    /// Makes the socket of a shard listen, the first time that the shard asks.
    ///
    /// > Thread: On the shard.
    ///
    /// - Throws: EADDRINUSE and others of listen(2); `.closed` after the drain began.
    func listen(on shard: Shard) throws(IOError) {
        try sockets.withLock { (sockets) throws(IOError) in
            try sockets.listen(position(of: shard), through: shard.loop.control)
        }
    }

    // MARK: Serving

    /// Gives the shard its part of the connections from now on.
    ///
    /// > Thread: On the shard.
    ///
    /// - Parameters:
    ///   - shard: the caller's.
    ///   - take: gets each connection as a descriptor that it owns.
    /// - Throws: `.busy` when the shard serves this address already, `.closed` after the drain began.
    func beginServing(
        on shard: Shard,
        _ take: @escaping (Descriptor) throws -> Void
    ) throws(IOError) {
        let share = shares[shard.index]
        guard share.take == nil else {
            throw IOError(.accept, reason: .busy, detail: "\(shard) serves \(address) already")
        }
        let socket = try sockets.withLock { (sockets) throws(IOError) in
            try sockets.claim(position(of: shard), for: shard.index)
        }
        share.begin(take)
        if let socket { accept(on: socket, by: shard) }
    }

    /// Takes the shard out; calls `completion` when its socket is not armed any more.
    ///
    /// > Thread: On the shard.
    func endServing(on shard: Shard, _ completion: @escaping () -> Void) {
        let share = shares[shard.index]
        share.end()
        guard let acceptor = share.acceptor else { return completion() }
        share.acceptor = nil
        acceptor.close { [self] in
            passOn(from: shard)
            completion()
        }
    }

    /// The one socket of a distributed address goes to another shard that serves.
    private func passOn(from shard: Shard) {
        sockets.withLock { $0.giveUp(position(of: shard)) }
        guard placement == .distributed else { return }
        for share in shares where share.isServing && share.shard.index != shard.index {
            let isPosted = share.shard.loop.callSoonThreadsafe { [self] in
                resumeAccepting(on: share.shard)
            }
            if isPosted { return }
        }
    }

    private func resumeAccepting(on shard: Shard) {
        guard shares[shard.index].take != nil else { return passOn(from: shard) }
        let claimed = try? sockets.withLock { (sockets) throws(IOError) in
            try sockets.claim(position(of: shard), for: shard.index)
        }
        if let socket = claimed ?? nil { accept(on: socket, by: shard) }
    }

    private func accept(on socket: ListeningSocket, by shard: Shard) {
        let acceptor = shard.loop.accept(on: socket, endMode: .letGo) { [unowned self] in
            place($0, acceptedBy: shard)
        }
        shares[shard.index].acceptor = acceptor
    }

    private func position(of shard: Shard) -> Int {
        placement == .perShard ? shard.index : 0
    }

    // MARK: Placing connections

    /// Keeps a connection here or hands it to a shard with fewer.
    private func place(_ descriptor: Descriptor, acceptedBy shard: Shard) {
        let target = balance.choose(for: descriptor, acceptedBy: shard, among: shares, placement)
        if target.shard.index == shard.index { return target.receive(descriptor) }
        hand(descriptor, to: target) {
            // That shard has ended: this one has not.
            shares[shard.index].receive(descriptor)
        }
    }

    private func hand(_ descriptor: Descriptor, to target: ListenerShare, else refused: () -> Void)
    {
        target.announce()
        let isPosted = target.shard.loop.callSoonThreadsafe { [self] in
            target.arrived()
            guard target.take == nil else { return target.receive(descriptor) }
            rescue(descriptor, from: target.shard)
        }
        guard !isPosted else { return }
        target.arrived()
        refused()
    }

    /// The shard stopped serving while the connection was on its way.
    private func rescue(_ descriptor: Descriptor, from shard: Shard) {
        guard let other = shares.first(where: { $0.isServing }) else {
            return shard.loop.control.close(descriptor)
        }
        hand(descriptor, to: other) { shard.loop.control.close(descriptor) }
    }

    // MARK: The end

    /// Closes the socket of a shard, or all that are left: clients are refused from then on.
    ///
    /// > Thread: On a shard, when nothing is armed on the socket.
    func closeSocket(of shard: Shard) {
        sockets.withLock { $0.close(position(of: shard), through: shard.loop.control) }
    }

    /// Closes all sockets that are left.
    ///
    /// > Thread: Any thread, when no shard serves.
    func close(through control: any SocketControl) {
        sockets.withLock { $0.closeAll(through: control) }
    }
}
