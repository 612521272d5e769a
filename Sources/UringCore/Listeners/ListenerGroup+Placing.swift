internal import Synchronization

/// Which shard serves a connection.
extension ListenerGroup {
    /// Keeps a connection here or hands it to a shard with fewer.
    ///
    /// > Thread: On `shard`.
    func place(_ descriptor: Descriptor, acceptedBy shard: Shard) {
        let target = balance.choose(for: descriptor, acceptedBy: shard, among: shares, placement)
        guard let target else { return hold(descriptor, on: shard) }
        if target.shard.index == shard.index { return target.receive(descriptor) }
        target.announce()
        let isPosted = target.shard.loop.callSoonThreadsafe { [self] in
            target.arrived()
            // It may have stopped serving while the connection was on its way.
            if target.isServing { return target.receive(descriptor) }
            place(descriptor, acceptedBy: target.shard)
        }
        guard !isPosted else { return }
        // That shard has ended: this one has not.
        target.arrived()
        target.stopServing()
        place(descriptor, acceptedBy: shard)
    }

    /// Nobody serves: a handler that is called again will; a drain means that none does.
    private func hold(_ descriptor: Descriptor, on shard: Shard) {
        let isHeld = !shard.isDrainingHere && sockets.withLock { $0.hold(descriptor) }
        guard isHeld else { return shard.loop.control.close(descriptor) }
        offerWaiting()
    }

    /// Somebody may have begun to serve meanwhile.
    private func offerWaiting() {
        for share in shares where share.isServing {
            if share.shard.loop.callSoonThreadsafe({ [self] in takeWaiting(share) }) { return }
        }
    }

    func takeWaiting(_ share: ListenerShare) {
        guard share.isServing else { return offerWaiting() }
        for descriptor in sockets.withLock({ $0.takeWaiting() }) { share.receive(descriptor) }
    }
}
