/// A bound socket, with everything that goes when it goes.
///
/// It needs no loop: a `StreamListener` is made of one, and so is a listener that several loops
/// share.
///
/// > Thread: Any thread, with a `SocketControl` of that thread.
/// > Ownership: A plain value: whoever keeps it calls `close` once, or closes the descriptor after
/// > `file` was removed.
package struct ListeningSocket: Sendable {
    /// The socket.
    package let descriptor: Descriptor
    /// Where it is bound; port 0 is resolved.
    package let address: SocketAddress
    /// The file that it made, for a Unix socket with a path.
    package let file: UnixSocketFile?

    /// Opens a socket, binds it and lets it listen.
    ///
    /// - Throws: as `EventLoop.listen`; nothing is left open then, and no file is left.
    package static func open(
        on address: SocketAddress,
        options: ListenerOptions,
        through control: any SocketControl
    ) throws(IOError) -> ListeningSocket {
        let socket = try bound(to: address, options: options, through: control)
        do throws(IOError) {
            try socket.listen(backlog: options.backlog, through: control)
            return socket
        } catch {
            socket.close(through: control)
            throw error
        }
    }

    /// Lets the socket listen.
    ///
    /// - Throws: EADDRINUSE and others of listen(2), naming the address.
    package func listen(backlog: Int, through control: any SocketControl) throws(IOError) {
        do throws(IOError) {
            try control.listen(on: descriptor, backlog: backlog)
        } catch {
            throw IOError(
                error.operation,
                descriptor: descriptor,
                reason: error.reason,
                detail: "\(address)"
            )
        }
    }

    /// Opens a socket and binds it; nobody can connect before it listens.
    ///
    /// - Throws: as `EventLoop.listen`; nothing is left open then, and no file is left.
    package static func bound(
        to address: SocketAddress,
        options: ListenerOptions,
        through control: any SocketControl
    ) throws(IOError) -> ListeningSocket {
        let descriptor = try control.openStreamSocket(for: address)
        var file: UnixSocketFile?
        do throws(IOError) {
            try setOptions(options, of: descriptor, for: address, through: control)
            file = try UnixSocketFile.bindAny(
                descriptor,
                to: address,
                permissions: options.unixPermissions,
                through: control
            )
            let resolved = try control.localAddress(of: descriptor)
            return ListeningSocket(descriptor: descriptor, address: resolved, file: file)
        } catch {
            file?.remove(through: control)
            control.close(descriptor)
            throw error
        }
    }

    private static func setOptions(
        _ options: ListenerOptions,
        of descriptor: Descriptor,
        for address: SocketAddress,
        through control: any SocketControl
    ) throws(IOError) {
        switch StreamKind(address) {
        case .pipe: preconditionFailure("no address leads to a pipe")
        case .unix:
            guard options.sharesPort else { return }
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail: "sharesPort is for TCP, got \(address): a Unix socket has one listener"
            )
        case .tcp:
            try control.setOption(.reuseAddress(true), on: descriptor)
            if options.sharesPort { try control.setOption(.reusePort(true), on: descriptor) }
            if case .ipv6 = address {
                try control.setOption(.onlyIPv6(options.isOnlyIPv6), on: descriptor)
            }
            // Accepted sockets inherit it: one system call a listener instead of one a connection.
            try control.setOption(.noDelay(options.stream.isNoDelay), on: descriptor)
        }
    }

    /// Removes its file and closes it.
    ///
    /// Precondition: nothing is in flight on it.
    ///
    /// - Returns: why the file is still there, or nil.
    @discardableResult
    package func close(through control: any SocketControl) -> IOError? {
        // First the file: once the socket is closed, another file may get the same numbers.
        let failure = file?.remove(through: control)
        control.close(descriptor)
        return failure
    }
}
