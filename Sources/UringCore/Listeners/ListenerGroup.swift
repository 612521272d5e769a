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
    let sockets: Mutex<ListenerSockets>
    let balance: Balance

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
    ///   - isHeldUp: asked before each accept of the shard's own; while it holds nothing is accepted.
    ///   - take: gets each connection as a descriptor that it owns.
    /// - Throws: `.busy` when the shard serves this address already, `.closed` after the drain began.
    func beginServing(
        on shard: Shard,
        isHeldUp: (() -> Bool)? = nil,
        _ take: @escaping (Descriptor) throws -> Void
    ) throws(IOError) {
        let share = shares[shard.index]
        guard share.take == nil else {
            throw IOError(.accept, reason: .busy, detail: "\(shard) serves \(address) already")
        }
        // First: whoever gives a socket up looks for one that serves, after that.
        share.begin(isHeldUp: isHeldUp, take)
        do throws(IOError) {
            if let socket = try claim(for: shard) { accept(on: socket, by: shard) }
        } catch {
            share.end()
            throw error
        }
        takeWaiting(share)
    }

    private func claim(for shard: Shard) throws(IOError) -> ListeningSocket? {
        try sockets.withLock { (sockets) throws(IOError) in
            try sockets.claim(position(of: shard), for: shard.index)
        }
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

    /// As `endServing`, when the shard's loop ends and nothing on it is waited for any more.
    func abandonServing(on shard: Shard) {
        shares[shard.index].end()
        shares[shard.index].acceptor = nil
    }

    /// The one socket of a distributed address goes to another shard that serves.
    private func passOn(from shard: Shard) {
        sockets.withLock { $0.giveUp(position(of: shard), by: shard.index) }
        // It may serve again by now.
        if shares[shard.index].isServing { return resumeAccepting(on: shard) }
        guard placement == .distributed else { return }
        for share in shares where share.isServing && share.shard.index != shard.index {
            let isPosted = share.shard.loop.callSoonThreadsafe { [self] in
                resumeAccepting(on: share.shard)
            }
            if isPosted { return }
        }
    }

    private func resumeAccepting(on shard: Shard) {
        guard shares[shard.index].isServing else { return passOn(from: shard) }
        guard let claimed = try? claim(for: shard) else { return }
        accept(on: claimed, by: shard)
    }

    // The shard outlives its loop, which keeps what accepts; this group need not.
    private func accept(on socket: ListeningSocket, by shard: Shard) {
        let isLimited = balance.connectionsMax > 0 || shares[shard.index].isHeldUp != nil
        let index = shard.index
        shares[shard.index].acceptor = shard.loop.accept(
            on: socket,
            endMode: .letGo,
            isFull: isLimited ? { [weak self] in self?.isFull(index) ?? true } : nil
        ) { [weak self, unowned shard] in
            guard let self else { return shard.loop.control.close($0) }
            place($0, acceptedBy: shard)
        }
    }

    private func isFull(_ index: Int) -> Bool {
        if shares[index].isHeldUp?() ?? false { return true }
        guard balance.connectionsMax > 0 else { return false }
        return balance.isFull(shares[index].shard, among: shares, placement)
    }

    private func position(of shard: Shard) -> Int {
        placement == .perShard ? shard.index : 0
    }

    // MARK: The end

    /// Closes the socket of a shard: clients are refused from then on.
    ///
    /// In a drain nobody is left to serve what waits: that is closed too.
    ///
    /// > Thread: On the shard, when nothing is armed on the socket.
    func closeSocket(of shard: Shard) {
        let waiting = sockets.withLock { sockets in
            sockets.close(position(of: shard), through: shard.loop.control)
            return shard.isDrainingHere ? sockets.takeWaiting() : []
        }
        for descriptor in waiting { shard.loop.control.close(descriptor) }
    }

    /// Closes all sockets that are left, but for those that these shards accept on.
    ///
    /// > Thread: Any thread, when no other shard serves.
    func close(exceptOf shards: Set<Int>, through control: any SocketControl) {
        sockets.withLock { $0.closeAll(exceptOf: shards, through: control) }
    }
}
