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
        let listener = StreamListener(
            loop: self,
            descriptor: descriptor,
            address: bound,
            options: options.stream,
            makeHandler: makeHandler
        )
        _ = descriptors.adopt(descriptor, owner: listener)
        listener.arm()
        return listener
    }

    private func openListener(
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
            try base.listen(on: descriptor, backlog: options.backlog)
            return descriptor
        } catch {
            base.close(descriptor)
            throw error
        }
    }
}
