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
    /// Connections that were accepted when nobody served any more.
    private var waiting: [Descriptor] = []
    private var isOver = false
    private let backlog: Int

    /// Takes sockets over, of which one listens already.
    init(_ descriptors: [Descriptor], listening position: Int, backlog: Int) {
        self.sockets = descriptors.map { Socket(descriptor: $0) }
        self.sockets[position].isListening = true
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
        let descriptor = sockets[position].descriptor
        try loop.listen(onBound: descriptor, at: address, backlog: backlog)
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

    /// A shard does not accept on a socket any more; another one may by now.
    mutating func giveUp(_ position: Int, by shard: Int) {
        if sockets[position].acceptor == shard { sockets[position].acceptor = nil }
    }

    /// Closes a socket that nobody accepts on.
    mutating func close(_ position: Int, on loop: EventLoop) {
        guard !sockets[position].isClosed, sockets[position].acceptor == nil else { return }
        sockets[position].isClosed = true
        loop.closeUnserved(sockets[position].descriptor)
    }

    /// Closes all that are left, but for those that these shards accept on.
    mutating func closeAll(exceptOf shards: Set<Int>, _ closing: (Descriptor) -> Void) {
        isOver = true
        for descriptor in takeWaiting() { closing(descriptor) }
        for position in sockets.indices where !sockets[position].isClosed {
            if let acceptor = sockets[position].acceptor, shards.contains(acceptor) { continue }
            sockets[position].isClosed = true
            closing(sockets[position].descriptor)
        }
    }

    // MARK: Connections that wait

    /// Keeps a connection until somebody serves; false when nobody will.
    mutating func hold(_ descriptor: Descriptor) -> Bool {
        if !isOver { waiting.append(descriptor) }
        return !isOver
    }

    /// Those that wait for somebody to serve them.
    mutating func takeWaiting() -> [Descriptor] {
        defer { waiting = [] }
        return waiting
    }

    private func checkOpen(_ position: Int, _ address: SocketAddress) throws(IOError) {
        guard sockets[position].isClosed else { return }
        throw IOError(.listen, reason: .closed, detail: "\(address) is not listened on any more")
    }
}
