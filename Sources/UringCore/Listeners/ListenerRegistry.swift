internal import Synchronization

/// The listening addresses of a server, by address: shards that listen on the same one share it.
///
/// The first shard that asks binds for all. It binds one socket without SO_REUSEPORT first: with it, a
/// second server of the same user would bind the same port in silence and take half of the connections.
///
/// > Thread: Any thread.
final class ListenerRegistry: Sendable {
    private struct Key: Hashable {
        let address: SocketAddress
        let isOnlyIPv6: Bool
    }

    private struct State {
        var groups: [Key: ListenerGroup] = [:]
        /// Each once, in the order of their making: in that order they are closed.
        var inOrder: [ListenerGroup] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let balance: Balance

    init(balance: Balance) {
        self.balance = balance
    }

    /// The group of an address, bound when this is the first call for it.
    ///
    /// > Thread: On `shard`.
    ///
    /// - Throws: what bind(2) says, naming the address; `.closed` once the server drains;
    ///   `.invalidArgument` when the address is in use here with another placement.
    func group(
        for address: SocketAddress,
        _ options: ListenerOptions,
        _ placement: ListenerPlacement,
        shard: Shard
    ) throws(IOError) -> ListenerGroup {
        let placement = address.port == nil ? .distributed : placement
        let key = Key(address: address, isOnlyIPv6: options.isOnlyIPv6)
        return try state.withLock { (state) throws(IOError) in
            guard !state.isClosed else {
                throw IOError(.listen, reason: .closed, detail: "the server drains")
            }
            if let group = state.groups[key] {
                guard group.placement == placement else { throw Self.otherwisePlaced(group) }
                return group
            }
            let group = try open(address, options, placement, shard)
            state.groups[key] = group
            state.inOrder.append(group)
            // Whoever names the port that was taken for port 0 means the same sockets.
            state.groups[Key(address: group.address, isOnlyIPv6: key.isOnlyIPv6)] = group
            return group
        }
    }

    private static func otherwisePlaced(_ group: ListenerGroup) -> IOError {
        IOError(
            .listen,
            reason: .invalidArgument,
            detail: "\(group.address) is placed \(group.placement) by another shard; use the same"
        )
    }

    private func open(
        _ address: SocketAddress,
        _ options: ListenerOptions,
        _ placement: ListenerPlacement,
        _ shard: Shard
    ) throws(IOError) -> ListenerGroup {
        let shards = shard.runtime.shards
        let isShared = placement == .perShard
        let sockets = try ListenerSockets(
            address,
            options,
            count: isShared ? shards.count : 1,
            listening: isShared ? shard.index : 0,
            through: shard.loop.control
        )
        return ListenerGroup(
            placement: placement,
            sockets: sockets,
            shards: shards,
            balance: balance
        )
    }

    /// The handler of a shard has ended: closes the sockets of its own that nobody accepts on.
    ///
    /// > Thread: On `shard`.
    func leave(_ shard: Shard) {
        let groups = state.withLock { $0.inOrder }
        for group in groups where group.placement == .perShard || shard.isDrainingHere {
            group.closeSocket(of: shard)
        }
    }

    /// Closes every socket that is left, but for those that these shards accept on; later calls are
    /// refused.
    func close(exceptOf shards: Set<Int>, through control: any SocketControl) {
        let groups = state.withLock { state in
            state.isClosed = true
            defer {
                if shards.isEmpty {
                    state.groups = [:]
                    state.inOrder = []
                }
            }
            return state.inOrder
        }
        for group in groups { group.close(exceptOf: shards, through: control) }
    }
}
