/// How a socket listens.
///
/// > Thread: Any thread.
public struct ListenerOptions: Hashable, Sendable {
    /// Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn.
    public var backlog = 4_096
    /// Several sockets may listen on the address, one a loop (SO_REUSEPORT); TCP only.
    public var sharesPort = false
    /// An IPv6 socket takes no IPv4 connections.
    public var isOnlyIPv6 = false
    /// Who may connect to the path of a Unix socket, whatever the umask is; connecting takes the
    /// write permission.
    ///
    /// The default lets in the owner alone, as 0o755, the usual outcome of umask 022, does; 0o660
    /// adds the group, 0o666 everybody who may search the directory. The file has these permissions
    /// before anybody can connect, and never wider ones. An abstract name has none.
    public var unixPermissions: FilePermissions = 0o600
    /// How accepted streams behave.
    public var stream = StreamOptions()

    /// The defaults.
    public init() {}
}

extension EventLoop {
    /// Listens on an address and gives each connection a handler of its own.
    ///
    /// The file of a Unix socket is made here and removed when the listener closes. One that a
    /// killed process left behind is replaced; a file that somebody listens on, or that is no
    /// socket, is never touched, and neither is one that took the name later.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - address: port 0 takes a free port; the listener's `address` tells which.
    ///   - options: see there.
    ///   - makeHandler: called for each connection; what it throws is reported and that connection closed.
    /// - Returns: the listener, accepting from now on.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES and others of bind(2) and listen(2), naming the
    ///   address; `.invalidArgument` for options that the address does not go with.
    @discardableResult
    public func listen(
        on address: SocketAddress,
        options: ListenerOptions = ListenerOptions(),
        makeHandler: @escaping () throws -> any StreamHandler
    ) throws(IOError) -> StreamListener {
        checkOnLoop()
        guard state != .shutDown else {
            throw IOError(.listen, reason: .closed, detail: "the loop was shut down")
        }
        let socket = try ListeningSocket.open(on: address, options: options, through: driver.base)
        let stream = options.stream
        let kind = StreamKind(address)
        return accept(on: socket, endMode: .orderly) { [unowned self] in
            adopt($0, kind: kind, options: stream, handler: try makeHandler())
        }
    }

    /// Accepts on a socket that listens already.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - socket: a listening socket.
    ///   - endMode: `.letGo` for a socket that stays somebody else's.
    ///   - take: gets each accepted descriptor and owns it, unless it throws; what it throws is
    ///     reported.
    /// - Returns: the listener, accepting from now on.
    package func accept(
        on socket: ListeningSocket,
        endMode: CloseMode,
        take: @escaping (Descriptor) throws -> Void
    ) -> StreamListener {
        let listener = StreamListener(
            loop: self,
            socket: socket,
            endMode: endMode,
            take: take
        )
        _ = descriptors.adopt(socket.descriptor, owner: listener)
        listener.arm()
        return listener
    }

    /// The verbs that answer at once.
    ///
    /// > Thread: On-loop only.
    package var control: any SocketControl { driver.base }

    /// Reports what a maker of handlers threw.
    package func reportFactory(_ error: any Error) {
        onCallbackError(CallbackFailure(error: error, origin: .handlerFactory))
    }
}
