/// Which shards have a socket at a datagram address.
///
/// > Thread: Any thread.
public enum DatagramPlacement: Hashable, Sendable {
    /// One socket for each shard that asks (SO_REUSEPORT): the kernel spreads senders over them by a hash of
    /// their addresses, and port 0 is one port for all. For servers.
    case perShard
    /// A socket of this shard alone: of two that ask for one port, the second is refused. For clients, and
    /// for Unix sockets always.
    case single
}

/// Datagram endpoints of a shard.
extension Shard {
    /// Opens an endpoint that hears everybody who sends to `address`.
    ///
    /// - Parameters:
    ///   - address: port 0 takes a free port; `DatagramEndpoint.localAddress` tells which.
    ///   - options: how it behaves.
    ///   - placement: whether other shards may have a socket there too.
    /// - Returns: the endpoint.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES and others of bind(2), naming the address; `.busy` when
    ///   this shard has an endpoint there already; `.closed` when the server drains; `.invalidArgument`,
    ///   `.wrongShard`.
    public func bindDatagram(
        to address: SocketAddress,
        options: DatagramOptions = DatagramOptions(),
        placement: DatagramPlacement = .perShard
    ) throws(IOError) -> DatagramEndpoint {
        try checkOpening()
        let isShared = placement == .perShard && address.port != nil
        guard isShared else {
            return try endpoint(at: DatagramSocket.Place(local: address, peer: nil), options)
        }
        let core = DatagramCore(shard: self)
        try bindShared(address, options, core)
        return DatagramEndpoint(core: core)
    }

    /// Opens an endpoint that sends to one peer and hears no other.
    ///
    /// - Parameters:
    ///   - peer: whom to send to; no datagram asks whether somebody is there.
    ///   - local: where to bind before; nil leaves it to the kernel. A Unix peer can answer only a socket
    ///     that has a name.
    ///   - options: how it behaves.
    /// - Returns: the endpoint.
    /// - Throws: what bind(2) and connect(2) say, naming the address; `.closed` when the server drains;
    ///   `.invalidArgument`, `.wrongShard`.
    public func connectDatagram(
        to peer: SocketAddress,
        from local: SocketAddress? = nil,
        options: DatagramOptions = DatagramOptions()
    ) throws(IOError) -> DatagramEndpoint {
        try checkOpening()
        return try endpoint(at: DatagramSocket.Place(local: local, peer: peer), options)
    }

    /// Opens an endpoint of the callback face, with a socket of this shard among those of the others.
    ///
    /// What the handler throws closes the endpoint and goes to the loop's `onCallbackError`.
    ///
    /// - Throws: as `bindDatagram(to:options:placement:)`.
    @discardableResult
    public func bindDatagram(
        to address: SocketAddress,
        options: DatagramOptions = DatagramOptions(),
        handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        try checkOpening()
        guard address.port != nil else {
            return try loop.bindDatagram(to: address, options: options, handler: handler)
        }
        return try bindShared(address, options, handler)
    }

    /// Binds a socket of this shard among those of the others, which is let go of when it is closed.
    @discardableResult
    private func bindShared(
        _ address: SocketAddress,
        _ options: DatagramOptions,
        _ handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        let socket = try runtime.datagrams.open(at: address, options, for: self)
        let (resolved, index) = (socket.address, index)
        do throws(IOError) {
            let transport = try adopt(socket, options, handler)
            transport.whenClosed = { [runtime] in
                runtime.datagrams.leave(resolved, options, shard: index)
            }
            return transport
        } catch {
            runtime.datagrams.leave(resolved, options, shard: index)
            throw error
        }
    }

    private func checkOpening() throws(IOError) {
        try check(.openSocket)
        guard !isDrainingHere else {
            throw IOError(.openSocket, reason: .closed, detail: "the server drains")
        }
    }

    private func endpoint(
        at place: DatagramSocket.Place,
        _ options: DatagramOptions
    ) throws(IOError) -> DatagramEndpoint {
        let socket = try DatagramSocket.open(place, options: options, through: loop.control)
        let core = DatagramCore(shard: self)
        _ = try adopt(socket, options, core)
        return DatagramEndpoint(core: core)
    }

    private func adopt(
        _ socket: DatagramSocket,
        _ options: DatagramOptions,
        _ handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        do throws(IOError) {
            let transport = try loop.adopt(socket, options: options, handler: handler)
            // A handler that is called again finds its address free.
            state.hasServed = true
            return transport
        } catch {
            socket.close(through: loop.control)
            throw error
        }
    }
}
