/// Datagram endpoints.
extension EventLoop {
    /// Opens an endpoint that hears everybody who sends to `address`.
    ///
    /// The file of a Unix socket is made here and removed when the endpoint closes, with the care of
    /// `listen(on:options:makeHandler:)`.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - address: port 0 takes a free port; the transport's `localAddress()` tells which.
    ///   - options: see there.
    ///   - handler: told of everything, `connectionMade` before this returns.
    /// - Returns: the endpoint, receiving from now on.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES and others of bind(2), naming the address;
    ///   `.invalidArgument` for options that the address or the loop's pool does not go with.
    @discardableResult
    public func bindDatagram(
        to address: SocketAddress,
        options: DatagramOptions = DatagramOptions(),
        handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        let place = DatagramSocket.Place(local: address, peer: nil)
        return try openDatagram(place, options, handler)
    }

    /// Opens an endpoint that sends to one peer and hears no other; errors of the network come to it alone.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - peer: whom to send to; no datagram asks whether somebody is there.
    ///   - local: where to bind before; nil leaves it to the kernel. A Unix peer can answer only a socket
    ///     that has a name.
    ///   - options: see there.
    ///   - handler: told of everything, `connectionMade` before this returns.
    /// - Returns: the endpoint, receiving from now on.
    /// - Throws: as `bindDatagram(to:options:handler:)`; ENETUNREACH and others of connect(2); for a Unix peer
    ///   ENOENT, ECONNREFUSED, EPROTOTYPE.
    @discardableResult
    public func connectDatagram(
        to peer: SocketAddress,
        from local: SocketAddress? = nil,
        options: DatagramOptions = DatagramOptions(),
        handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        let place = DatagramSocket.Place(local: local, peer: peer)
        return try openDatagram(place, options, handler)
    }

    private func openDatagram(
        _ place: DatagramSocket.Place,
        _ options: DatagramOptions,
        _ handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        checkOnLoop()
        guard state != .shutDown else {
            throw IOError(.openSocket, reason: .closed, detail: "the loop was shut down")
        }
        let socket = try DatagramSocket.open(place, options: options, through: driver.base)
        do throws(IOError) {
            return try adopt(socket, options: options, handler: handler)
        } catch {
            socket.close(through: driver.base)
            throw error
        }
    }

    /// Takes in an open socket and starts to receive on it.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The socket is the endpoint's from here on, unless this throws.
    ///
    /// - Throws: `.invalidArgument` when the pool's buffers are too small for it.
    package func adopt(
        _ socket: DatagramSocket,
        options: DatagramOptions,
        handler: any DatagramHandler
    ) throws(IOError) -> DatagramTransport {
        try checkBuffers(of: socket, options)
        let transport = DatagramTransport(
            loop: self,
            socket: socket,
            options: options,
            handler: handler
        )
        _ = descriptors.adopt(socket.descriptor, owner: transport)
        transport.start()
        return transport
    }

    private func checkBuffers(
        of socket: DatagramSocket,
        _ chosen: DatagramOptions
    ) throws(IOError) {
        let head = DatagramTransport.layout(of: socket, chosen).payloadOffset
        let least = chosen.receivesSegments ? DatagramOptions.segmentedBufferBytesMin : head + 1
        guard options.bufferBytes < least else { return }
        throw IOError(
            .openSocket,
            reason: .invalidArgument,
            detail: "this endpoint takes pool buffers of \(least) bytes at least (bufferBytes);"
                + " the loop's have \(options.bufferBytes)"
        )
    }
}
