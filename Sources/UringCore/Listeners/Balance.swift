/// Chooses the shard that serves a new connection.
///
/// The kernel's hash alone leaves one of sixteen shards with twice its share of 64 connections. Up to
/// `comparedMax` shards the least loaded of all is taken: that keeps every shard within one connection
/// of the mean, where a comparison with one random other was seen four above it
/// (docs/decisions/0008). With more shards, `comparedMax` random ones are compared.
///
/// > Thread: Any thread.
struct Balance: Sendable {
    /// Loads that are compared for one connection.
    static let comparedMax = 16
    /// A hand-over wakes another core (28 to 98 µs): below this difference it is not worth it.
    static let differenceMin = 2

    let policy: BalancePolicy
    let connectionsMax: Int

    /// The share that takes the connection: the acceptor's own where nothing speaks against it, nil when
    /// none serves.
    func choose(
        for descriptor: Descriptor,
        acceptedBy shard: Shard,
        among shares: [ListenerShare],
        _ placement: ListenerPlacement
    ) -> ListenerShare? {
        let own = shares[shard.index]
        switch policy {
        case .rx:
            if let receiver = receiver(of: descriptor, shard, shares) { return receiver }
            if canTake(own) { return own }
        case .off where placement == .perShard: if own.isServing { return own }
        case .off, .p2c: break
        }
        return lessLoaded(than: own, shares)
    }

    /// Nobody who could get a connection from the shard has a place for one.
    func isFull(
        _ shard: Shard,
        among shares: [ListenerShare],
        _ placement: ListenerPlacement
    )
        -> Bool
    {
        guard connectionsMax > 0, !canTake(shares[shard.index]) else { return false }
        if policy == .off, placement == .perShard { return true }
        return !shares.contains { canTake($0) }
    }

    /// The shard on the CPU that the connection's packets come in on (SO_INCOMING_CPU).
    private func receiver(
        of descriptor: Descriptor,
        _ shard: Shard,
        _ shares: [ListenerShare]
    ) -> ListenerShare? {
        guard let cpu = shard.loop.control.incomingCPU(of: descriptor) else { return nil }
        return shares.first { $0.shard.cpu == cpu && canTake($0) }
    }

    private func lessLoaded(than own: ListenerShare, _ shares: [ListenerShare]) -> ListenerShare? {
        var best = canTake(own) ? own : nil
        var bestLoad = best == nil ? Int.max : own.load - (Self.differenceMin - 1)
        let start = shares.count > Self.comparedMax ? Int.random(in: 0..<shares.count) : 0
        for step in 0..<min(shares.count, Self.comparedMax) {
            let other = shares[(start + step) % shares.count]
            guard other !== own, canTake(other) else { continue }
            let load = other.load
            if load < bestLoad {
                best = other
                bestLoad = load
            }
        }
        // Those that accept at the same moment may each have found the last place.
        return best ?? (own.isServing ? own : shares.first { $0.isServing })
    }

    private func canTake(_ share: ListenerShare) -> Bool {
        share.isServing && (connectionsMax == 0 || share.load < connectionsMax)
    }
}
