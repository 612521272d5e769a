internal import Synchronization

/// The datagram addresses of a server, by address: shards that bind the same one share it, each with a
/// socket of its own (SO_REUSEPORT).
///
/// A socket is bound when its shard asks, not before: the kernel hands it its part of the senders from
/// then on, and what nobody receives is lost.
///
/// > Thread: Any thread.
final class DatagramRegistry: Sendable {
    private struct Key: Hashable {
        let address: SocketAddress
        let isOnlyIPv6: Bool
    }

    private final class Group {
        /// Where it is bound; port 0 is resolved.
        let address: SocketAddress
        /// The shards that have a socket there.
        var shards: Set<Int> = []

        init(address: SocketAddress) {
            self.address = address
        }
    }

    private struct State {
        // Safety: groups never leave the lock.
        var groups: [Key: Group] = [:]
    }

    private let state = Mutex(State())

    /// Binds a socket for a shard.
    ///
    /// The first is bound without SO_REUSEPORT, so that a port in use is an error: with it, a second server
    /// of the same user would bind the same port in silence and take half of the senders.
    ///
    /// > Thread: On `shard`.
    ///
    /// - Throws: what bind(2) says, naming the address; `.busy` when the shard has a socket there already.
    func open(
        at address: SocketAddress,
        _ options: DatagramOptions,
        for shard: Shard
    ) throws(IOError) -> DatagramSocket {
        let key = Key(address: address, isOnlyIPv6: options.isOnlyIPv6)
        return try state.withLock { (state) throws(IOError) in
            let known = state.groups[key]
            if let known, known.shards.contains(shard.index) {
                throw IOError(
                    .bind,
                    reason: .busy,
                    detail: "\(shard) has an endpoint at \(known.address) already"
                )
            }
            let socket = try Self.open(known?.address ?? address, known, options, shard)
            let group = known ?? Group(address: socket.address)
            group.shards.insert(shard.index)
            state.groups[key] = group
            // Whoever names the port that was taken for port 0 means the same sockets.
            state.groups[Key(address: group.address, isOnlyIPv6: key.isOnlyIPv6)] = group
            return socket
        }
    }

    private static func open(
        _ address: SocketAddress,
        _ group: Group?,
        _ options: DatagramOptions,
        _ shard: Shard
    ) throws(IOError) -> DatagramSocket {
        let control = shard.loop.control
        let isFirst = group?.shards.isEmpty ?? true
        var options = options
        if !isFirst { options.sharesPort = true }
        let place = DatagramSocket.Place(local: address, peer: nil)
        let socket = try DatagramSocket.open(place, options: options, through: control)
        guard isFirst, shard.count > 1, !options.sharesPort else { return socket }
        do throws(IOError) {
            try control.setOption(.reusePort(true), on: socket.descriptor)
            return socket
        } catch {
            socket.close(through: control)
            throw error
        }
    }

    /// The socket of a shard is closed.
    ///
    /// The group keeps its address: a handler that is called again gets the same port.
    func leave(_ address: SocketAddress, _ options: DatagramOptions, shard index: Int) {
        let key = Key(address: address, isOnlyIPv6: options.isOnlyIPv6)
        state.withLock { _ = $0.groups[key]?.shards.remove(index) }
    }
}
