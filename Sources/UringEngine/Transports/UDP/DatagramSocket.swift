internal import Glibc

/// An open datagram socket, with everything that goes when it goes.
///
/// > Thread: Any thread, with a `SocketControl` of that thread.
/// > Ownership: A plain value: whoever keeps it calls `close` once, or gives it to a loop.
package struct DatagramSocket: Sendable {
    /// The socket.
    package let descriptor: Descriptor
    /// Where it is bound; port 0 is resolved.
    ///
    /// `.unix([])` for a Unix socket without a name.
    package let address: SocketAddress
    /// Its peer; nil when it hears everybody.
    package let peer: SocketAddress?
    /// The file that it made, for a Unix socket bound to a path.
    package let file: UnixSocketFile?

    /// Where a socket is and whom it hears.
    package struct Place {
        /// Where to bind; nil leaves it to the kernel.
        package let local: SocketAddress?
        /// Whom to connect to; nil for none.
        package let peer: SocketAddress?

        /// Names a place; one of the two is there.
        package init(local: SocketAddress?, peer: SocketAddress?) {
            self.local = local
            self.peer = peer
        }
    }

    /// Opens a socket, binds it, connects it.
    ///
    /// - Throws: as `EventLoop.bindDatagram`; nothing is left open then, and no file is left.
    package static func open(
        _ place: Place,
        options: DatagramOptions,
        through control: any SocketControl
    ) throws(IOError) -> DatagramSocket {
        guard let address = place.local ?? place.peer else {
            preconditionFailure("a datagram socket is bound or connected")
        }
        try check(place, options)
        let descriptor = try control.openDatagramSocket(for: address)
        var file: UnixSocketFile?
        do throws(IOError) {
            try setOptions(options, of: descriptor, for: address, through: control)
            if let local = place.local {
                file = try UnixSocketFile.bindAny(
                    descriptor,
                    to: local,
                    permissions: options.unixPermissions,
                    through: control
                )
            }
            if let peer = place.peer { try control.connectAtOnce(descriptor, to: peer) }
            return DatagramSocket(
                descriptor: descriptor,
                address: try control.localAddress(of: descriptor),
                peer: place.peer,
                file: file
            )
        } catch {
            file?.remove(through: control)
            control.close(descriptor)
            throw error
        }
    }

    private static func check(_ place: Place, _ options: DatagramOptions) throws(IOError) {
        if let local = place.local, let peer = place.peer, local.family != peer.family {
            throw IOError(
                .connect,
                reason: .invalidArgument,
                detail: "a socket at \(local) has no peer of another family such as \(peer)"
            )
        }
        guard (place.local ?? place.peer)?.family == AF_UNIX else { return }
        guard !options.sharesPort, !options.sharesAddress, !options.receivesSegments,
            !options.allowsBroadcast
        else {
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail:
                    "sharesPort, sharesAddress, receivesSegments and allowsBroadcast are for UDP"
            )
        }
    }

    private static func setOptions(
        _ options: DatagramOptions,
        of descriptor: Descriptor,
        for address: SocketAddress,
        through control: any SocketControl
    ) throws(IOError) {
        var wanted: [SocketOption] = []
        if options.sharesPort { wanted.append(.reusePort(true)) }
        if options.sharesAddress { wanted.append(.reuseAddress(true)) }
        if options.allowsBroadcast { wanted.append(.datagram(.broadcast(true))) }
        if options.receivesSegments { wanted.append(.datagram(.receiveSegments(true))) }
        if case .ipv6 = address { wanted.append(.onlyIPv6(options.isOnlyIPv6)) }
        if let count = options.receiveBufferBytes { wanted.append(.receiveBufferBytes(count)) }
        if let count = options.sendBufferBytes { wanted.append(.sendBufferBytes(count)) }
        for option in wanted { try control.setOption(option, on: descriptor) }
    }

    /// Removes its file and closes it.
    ///
    /// Precondition: nothing is in flight on it.
    package func close(through control: any SocketControl) {
        // First the file: once the socket is closed, another file may get the same numbers.
        file?.remove(through: control)
        control.close(descriptor)
    }
}
