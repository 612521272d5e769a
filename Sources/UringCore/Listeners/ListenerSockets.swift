/// The sockets of one listening address, and who accepts on each.
///
/// > Thread: In the lock of its `ListenerGroup`.
struct ListenerSockets: Sendable {
    private struct Socket {
        let socket: ListeningSocket
        var isListening = false
        var acceptor: Int?
        var isClosed = false
    }

    /// Where they are bound; port 0 is resolved.
    let address: SocketAddress
    private var sockets: [Socket]
    /// Connections that were accepted when nobody served any more.
    private var waiting: [Descriptor] = []
    private var isOver = false
    private let backlog: Int

    /// Binds sockets to one address, which then refuses others of the same user.
    ///
    /// The first listens without SO_REUSEPORT, so that a port in use is an error; it shares the port
    /// with the others from then on. Bound alone it would not do: of two servers that begin at the same
    /// moment both would bind, and both would listen once they share.
    ///
    /// - Throws: what bind(2) and listen(2) say, naming the address; nothing is left open then.
    init(
        _ address: SocketAddress,
        _ options: ListenerOptions,
        count: Int,
        listening position: Int,
        through control: any SocketControl
    ) throws(IOError) {
        var options = options
        options.sharesPort = false
        let first = try ListeningSocket.open(on: address, options: options, through: control)
        var open = [first]
        do throws(IOError) {
            if count > 1 {
                try control.setOption(.reusePort(true), on: first.descriptor)
                options.sharesPort = true
            }
            while open.count < count {
                let next = try ListeningSocket.bound(
                    to: first.address,
                    options: options,
                    through: control
                )
                open.append(next)
            }
        } catch {
            for socket in open { socket.close(through: control) }
            throw error
        }
        self.address = first.address
        self.backlog = options.backlog
        self.sockets = open.map { Socket(socket: $0) }
        self.sockets[0].isListening = true
        // The one that listens is that of the shard that asks.
        self.sockets.swapAt(0, position)
    }

    /// Makes a socket listen unless it does.
    mutating func listen(_ position: Int, through control: any SocketControl) throws(IOError) {
        try checkOpen(position)
        guard !sockets[position].isListening else { return }
        let socket = sockets[position].socket
        try socket.listen(backlog: backlog, through: control)
        sockets[position].isListening = true
    }

    /// Gives a socket to a shard to accept on; nil when another one does.
    mutating func claim(_ position: Int, for shard: Int) throws(IOError) -> ListeningSocket? {
        try checkOpen(position)
        guard sockets[position].acceptor == nil else { return nil }
        sockets[position].acceptor = shard
        return sockets[position].socket
    }

    /// A shard does not accept on a socket any more; another one may by now.
    mutating func giveUp(_ position: Int, by shard: Int) {
        if sockets[position].acceptor == shard { sockets[position].acceptor = nil }
    }

    /// Closes a socket that nobody accepts on.
    mutating func close(_ position: Int, through control: any SocketControl) {
        guard !sockets[position].isClosed, sockets[position].acceptor == nil else { return }
        sockets[position].isClosed = true
        sockets[position].socket.close(through: control)
    }

    /// Closes all that are left, but for those that these shards accept on.
    mutating func closeAll(exceptOf shards: Set<Int>, through control: any SocketControl) {
        isOver = true
        for descriptor in takeWaiting() { control.close(descriptor) }
        for position in sockets.indices where !sockets[position].isClosed {
            if let acceptor = sockets[position].acceptor, shards.contains(acceptor) { continue }
            sockets[position].isClosed = true
            sockets[position].socket.close(through: control)
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

    private func checkOpen(_ position: Int) throws(IOError) {
        guard sockets[position].isClosed else { return }
        throw IOError(.listen, reason: .closed, detail: "\(address) is not listened on any more")
    }
}
