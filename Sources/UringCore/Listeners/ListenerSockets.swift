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
    private let backlog: Int

    /// Binds sockets to one address, which then refuses others of the same user.
    ///
    /// The first is bound without SO_REUSEPORT, so that a port in use is an error; it shares the port
    /// with the others from then on.
    ///
    /// - Throws: what bind(2) says, naming the address; nothing is left open then.
    init(
        _ address: SocketAddress,
        _ options: ListenerOptions,
        count: Int,
        through control: any SocketControl
    ) throws(IOError) {
        var options = options
        options.sharesPort = false
        var bound = [try ListeningSocket.bound(to: address, options: options, through: control)]
        self.address = bound[0].address
        self.backlog = options.backlog
        do throws(IOError) {
            if count > 1 {
                try control.setOption(.reusePort(true), on: bound[0].descriptor)
                options.sharesPort = true
            }
            for _ in 1..<max(count, 1) {
                bound.append(
                    try ListeningSocket.bound(
                        to: bound[0].address,
                        options: options,
                        through: control
                    )
                )
            }
        } catch {
            for socket in bound { socket.close(through: control) }
            throw error
        }
        self.sockets = bound.map { Socket(socket: $0) }
    }

    /// Makes a socket listen unless it does.
    mutating func listen(_ position: Int, through control: any SocketControl) throws(IOError) {
        try checkOpen(position)
        guard !sockets[position].isListening else { return }
        try control.listen(on: sockets[position].socket.descriptor, backlog: backlog)
        sockets[position].isListening = true
    }

    /// Gives a socket to a shard to accept on; nil when another one does.
    mutating func claim(_ position: Int, for shard: Int) throws(IOError) -> ListeningSocket? {
        try checkOpen(position)
        guard sockets[position].acceptor == nil else { return nil }
        sockets[position].acceptor = shard
        return sockets[position].socket
    }

    /// Nobody accepts on a socket any more.
    mutating func giveUp(_ position: Int) {
        sockets[position].acceptor = nil
    }

    /// Closes a socket that nobody accepts on.
    mutating func close(_ position: Int, through control: any SocketControl) {
        guard !sockets[position].isClosed, sockets[position].acceptor == nil else { return }
        sockets[position].isClosed = true
        sockets[position].socket.close(through: control)
    }

    /// Closes all that are left.
    mutating func closeAll(through control: any SocketControl) {
        for position in sockets.indices where !sockets[position].isClosed {
            sockets[position].isClosed = true
            sockets[position].socket.close(through: control)
        }
    }

    private func checkOpen(_ position: Int) throws(IOError) {
        guard sockets[position].isClosed else { return }
        throw IOError(.listen, reason: .closed, detail: "\(address) was closed by a drain")
    }
}
