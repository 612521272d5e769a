/// The sockets of one listening address, and who accepts on each.
///
/// > Thread: In the lock of its `ListenerGroup`.
struct ListenerSockets: Sendable {
    private struct Socket {
        let descriptor: Descriptor
        var isListening = false
        var acceptor: Int?
        var isClosed = false
    }

    private var sockets: [Socket]
    private let backlog: Int
    /// Connections that were accepted when nobody served any more.
    private var unserved: [Descriptor] = []

    init(_ descriptors: [Descriptor], backlog: Int) {
        self.sockets = descriptors.map { Socket(descriptor: $0) }
        self.backlog = backlog
    }

    /// Makes a socket listen unless it does.
    mutating func listen(
        _ position: Int,
        on loop: EventLoop,
        address: SocketAddress
    ) throws(IOError) {
        try checkOpen(position, address)
        guard !sockets[position].isListening else { return }
        try loop.listen(onBound: sockets[position].descriptor, backlog: backlog)
        sockets[position].isListening = true
    }

    /// Gives a socket to a shard to accept on; nil when another one does.
    mutating func claim(
        _ position: Int,
        for shard: Int,
        address: SocketAddress
    ) throws(IOError) -> Descriptor? {
        try checkOpen(position, address)
        guard sockets[position].acceptor == nil else { return nil }
        sockets[position].acceptor = shard
        return sockets[position].descriptor
    }

    /// A shard does not accept on a socket any more.
    mutating func giveUp(_ position: Int, by shard: Int) {
        if sockets[position].acceptor == shard { sockets[position].acceptor = nil }
    }

    /// Keeps a connection for the shard that serves next.
    ///
    /// - Returns: false when none will.
    mutating func keep(_ connection: Descriptor) -> Bool {
        guard sockets.contains(where: { !$0.isClosed }) else { return false }
        unserved.append(connection)
        return true
    }

    /// Takes what was kept.
    mutating func takeUnserved() -> [Descriptor] {
        defer { unserved = [] }
        return unserved
    }

    /// Closes a socket that nobody accepts on.
    mutating func close(_ position: Int, on loop: EventLoop) {
        guard !sockets[position].isClosed, sockets[position].acceptor == nil else { return }
        sockets[position].isClosed = true
        loop.closeUnserved(sockets[position].descriptor)
    }

    /// Closes all that are left.
    mutating func closeAll(_ closing: (Descriptor) -> Void) {
        for connection in takeUnserved() { closing(connection) }
        for position in sockets.indices where !sockets[position].isClosed {
            sockets[position].isClosed = true
            closing(sockets[position].descriptor)
        }
    }

    private func checkOpen(_ position: Int, _ address: SocketAddress) throws(IOError) {
        guard sockets[position].isClosed else { return }
        throw IOError(.listen, reason: .closed, detail: "\(address) was closed by a drain")
    }
}
