/// How a TCP socket listens.
///
/// > Thread: Any thread.
public struct ListenerOptions: Hashable, Sendable {
    /// Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn.
    public var backlog = 4_096
    /// Several sockets may listen on the address, one a loop (SO_REUSEPORT).
    public var sharesPort = false
    /// An IPv6 socket takes no IPv4 connections.
    public var isOnlyIPv6 = false
    /// How accepted streams behave.
    public var stream = StreamOptions()

    /// The defaults.
    public init() {}
}

extension EventLoop {
    /// Listens on a TCP address and gives each connection a handler of its own.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - address: port 0 takes a free port; the listener's `address` tells which.
    ///   - options: see there.
    ///   - makeHandler: called for each connection; what it throws is reported and that connection closed.
    /// - Returns: the listener, accepting from now on.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES and others of bind(2) and listen(2), naming the
    ///   address.
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
        let descriptor = try openListener(address, options)
        let bound: SocketAddress
        do throws(IOError) {
            bound = try driver.base.localAddress(of: descriptor)
        } catch {
            driver.base.close(descriptor)
            throw error
        }
        let stream = options.stream
        return accept(on: descriptor, address: bound, endMode: .orderly) { [unowned self] in
            adopt($0, options: stream, handler: try makeHandler())
        }
    }

    /// Accepts on a socket that listens already.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - descriptor: a listening socket.
    ///   - address: what it is bound to.
    ///   - endMode: `.letGo` for a socket that stays somebody else's: then `take` also gets what was
    ///     accepted while the end was under way.
    ///   - isFull: asked before each accept; while it holds nothing is accepted. Nil takes the limit of
    ///     this loop.
    ///   - take: gets each accepted descriptor and owns it, unless it throws; what it throws is
    ///     reported.
    package func accept(
        on descriptor: Descriptor,
        address: SocketAddress,
        endMode: CloseMode,
        isFull: (() -> Bool)? = nil,
        take: @escaping (Descriptor) throws -> Void
    ) -> StreamListener {
        let listener = StreamListener(
            loop: self,
            descriptor: descriptor,
            address: address,
            endMode: endMode,
            isFull: isFull,
            take: take
        )
        _ = descriptors.adopt(descriptor, owner: listener)
        listener.arm()
        return listener
    }

    // MARK: Sockets that belong to nobody yet

    /// Binds sockets to one address, which then refuses others of the same user.
    ///
    /// The first listens without SO_REUSEPORT, so that a port in use is an error; it shares the port
    /// with the others from then on. Bound alone it would not do: of two servers that begin at the same
    /// moment both would bind, and both would listen once they share.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The descriptors are the caller's.
    ///
    /// - Returns: the address with its port, and `count` bound sockets, of which the first listens.
    package func bindListeners(
        _ address: SocketAddress,
        _ options: ListenerOptions,
        count: Int
    ) throws(IOError) -> (address: SocketAddress, descriptors: [Descriptor]) {
        checkOnLoop()
        var options = options
        options.sharesPort = false
        var descriptors = [try openListener(address, options)]
        do throws(IOError) {
            let bound = try driver.base.localAddress(of: descriptors[0])
            guard count > 1 else { return (bound, descriptors) }
            try driver.base.setOption(.reusePort(true), on: descriptors[0])
            options.sharesPort = true
            for _ in 1..<count { descriptors.append(try bindListener(bound, options)) }
            return (bound, descriptors)
        } catch {
            for descriptor in descriptors { driver.base.close(descriptor) }
            throw error
        }
    }

    /// Makes a bound socket listen.
    ///
    /// - Throws: EADDRINUSE and others of listen(2), naming the address.
    package func listen(
        onBound descriptor: Descriptor,
        at address: SocketAddress,
        backlog: Int
    ) throws(IOError) {
        do throws(IOError) {
            try driver.base.listen(on: descriptor, backlog: backlog)
        } catch {
            throw IOError(
                error.operation,
                descriptor: descriptor,
                reason: error.reason,
                detail: address.description
            )
        }
    }

    /// Closes a descriptor on which nothing was begun.
    ///
    /// > Thread: Any thread.
    package func closeUnserved(_ descriptor: Descriptor) {
        driver.base.close(descriptor)
    }

    /// The CPU that a connection's packets come in on; nil where the kernel does not tell.
    package func incomingCPU(of descriptor: Descriptor) -> Int? {
        driver.base.incomingCPU(of: descriptor)
    }

    /// Reports what a maker of handlers threw.
    package func reportFactory(_ error: any Error) {
        onCallbackError(CallbackFailure(error: error, origin: .handlerFactory))
    }

    private func openListener(
        _ address: SocketAddress,
        _ options: ListenerOptions
    ) throws(IOError) -> Descriptor {
        let descriptor = try bindListener(address, options)
        do throws(IOError) {
            try listen(onBound: descriptor, at: address, backlog: options.backlog)
            return descriptor
        } catch {
            driver.base.close(descriptor)
            throw error
        }
    }

    private func bindListener(
        _ address: SocketAddress,
        _ options: ListenerOptions
    ) throws(IOError) -> Descriptor {
        let base = driver.base
        let descriptor = try base.openStreamSocket(for: address)
        do throws(IOError) {
            try base.setOption(.reuseAddress(true), on: descriptor)
            if options.sharesPort { try base.setOption(.reusePort(true), on: descriptor) }
            if case .ipv6 = address {
                try base.setOption(.onlyIPv6(options.isOnlyIPv6), on: descriptor)
            }
            // Accepted sockets inherit it: one system call a listener instead of one a connection.
            try base.setOption(.noDelay(options.stream.isNoDelay), on: descriptor)
            try base.bind(descriptor, to: address)
            return descriptor
        } catch {
            base.close(descriptor)
            throw error
        }
    }
}
