internal import Logging

/// A shard's part in a listening address.
///
/// > Thread: `serve` on its shard; elsewhere it throws `.wrongShard`.
/// > Ownership: The server keeps the sockets until it drains.
public final class Listener: Sendable {
    /// Where it listens; port 0 is resolved, and the same on every shard.
    public var address: SocketAddress { group.address }
    /// The shard that it serves on.
    public let shard: Shard
    let group: ListenerGroup
    let options: StreamOptions
    let kind: StreamKind

    init(shard: Shard, group: ListenerGroup, options: StreamOptions) {
        self.shard = shard
        self.group = group
        self.options = options
        self.kind = StreamKind(group.address)
    }

    /// Serves every connection with a child task of its own, on this shard, until the server drains and
    /// the last one has ended.
    ///
    /// A handler that returns closes its connection: what it wrote is still sent. One that throws
    /// resets it; the error goes to `onConnectionError`, and no other connection notices.
    ///
    /// When the calling task is cancelled, so are the handlers.
    ///
    /// - Parameters:
    ///   - onConnectionError: called on the shard with what ended a connection before its time; by
    ///     default it is logged at level debug.
    ///   - handler: runs on this shard, once for each connection.
    /// - Throws: `.cancelled`; `.deadlineExceeded` of an enclosing `Shard.withDeadline`, which its handlers
    ///   have as well; `.busy` when this shard serves the address already; `.closed` when the server drains
    ///   already; `.wrongShard`.
    public func serve(
        onConnectionError: (@Sendable (any Error) -> Void)? = nil,
        _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) async throws(IOError) {
        let session = ServeSession(loop: shard.loop)
        let report = onConnectionError ?? logged
        try begin(session) { [shard, options, kind] descriptor in
            let core = ConnectionCore(shard: shard)
            shard.loop.adopt(descriptor, kind: kind, options: options, handler: core)
            session.append(core)
        }
        try await serve(session) { [shard] in
            await withDiscardingTaskGroup { group in
                repeat {
                    while let core = await session.next() {
                        // Said again for each: the serving task may be an actor's, that prefers nothing.
                        group.addTask(executorPreference: shard.executor) {
                            await Self.handle(core, handler, report)
                        }
                    }
                    await end(session)
                    // Some may have come before the end of accepting.
                } while !session.isEmpty
            }
        }
    }

    /// Serves every connection with a handler of the callback face, until the server drains.
    ///
    /// What a handler throws resets its own connection and goes to the loop's `onCallbackError`.
    ///
    /// - Parameter makeHandler: called on the shard for each connection; what it throws is reported and
    ///   that connection closed.
    /// - Throws: as of `serve(onConnectionError:_:)`.
    public func serve(
        handlers makeHandler: @escaping () throws -> any StreamHandler
    ) async throws(IOError) {
        let session = ServeSession(loop: shard.loop)
        try begin(session) { [shard, options, kind] descriptor in
            shard.loop.adopt(descriptor, kind: kind, options: options, handler: try makeHandler())
        }
        try await serve(session) {
            _ = await session.next()
            await end(session)
        }
    }

    /// Runs `body` on the shard, and ends the session when the calling task is cancelled.
    private func serve(_ session: ServeSession, _ body: () async -> Void) async throws(IOError) {
        let ended = await withTaskExecutorPreference(shard.executor) {
            await withTaskCancellationHandler {
                await body()
            } onCancel: {
                // At once: what comes from now on would be reset with the rest.
                group.shares[shard.index].stopServing()
                session.cancel()
            }
            return session.ended
        }
        switch ended {
        case .drained, nil: return
        case .cancelled: throw IOError(.accept, reason: .cancelled)
        case .deadlineExceeded: throw IOError(.accept, reason: .deadlineExceeded)
        case .closed: throw Runtime.ended(shard, .accept)
        }
    }

    // MARK: One connection

    private static func handle(
        _ core: ConnectionCore,
        _ handler: @Sendable (Connection) async throws -> Void,
        _ report: @escaping @Sendable (any Error) -> Void
    ) async {
        // Not by `own`: each further asynchronous frame is memory of every idle connection, and with one
        // more than these a task takes a second block of 1,000 bytes.
        core.begin()
        do {
            try await withTaskCancellationHandler {
                try await handler(Connection(core: core))
            } onCancel: {
                core.cancelOwner()
            }
            core.end(onLateError: report)
        } catch {
            core.endThrown()
            report(error)
        }
    }

    private var logged: @Sendable (any Error) -> Void {
        let logger = shard.runtime.logger
        return { logger.debug("a connection ended: \($0)") }
    }

    // MARK: Accepting

    func begin(
        _ session: ServeSession,
        isHeldUp: (() -> Bool)? = nil,
        _ take: @escaping (Descriptor) throws -> Void
    ) throws(IOError) {
        try shard.check(.accept)
        guard !shard.isDrainingHere else {
            throw IOError(.accept, reason: .closed, detail: "the server drains")
        }
        try group.beginServing(on: shard, isHeldUp: isHeldUp, take)
        session.number = shard.state.sessions.add(session)
        shard.state.hasServed = true
    }

    /// Returns when nothing is armed on the socket any more; a drain closes it then.
    private func end(_ session: ServeSession) async {
        shard.state.sessions.remove(session.number)
        // The loop ends what it accepts with, and answers nobody.
        guard !shard.state.isOver else { return group.abandonServing(on: shard) }
        // Safety: the completion is called exactly once.
        await unsafe withUnsafeContinuation { continuation in
            group.endServing(on: shard) { unsafe continuation.resume() }
        }
        if shard.isDrainingHere { group.closeSocket(of: shard) }
    }
}

extension Shard {
    /// Listens on an address that all shards of the server share; nothing is accepted before `serve`.
    ///
    /// The first shard that asks binds for all, so that port 0 is one port for all, and an address in
    /// use fails here.
    ///
    /// - Parameters:
    ///   - endpoint: where.
    ///   - options: how sockets listen and accepted streams behave; nil takes the configuration's.
    ///   - placement: whether every shard has a socket of its own.
    /// - Returns: this shard's part in the address.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL, EACCES and others of bind(2) and listen(2), naming the address;
    ///   `.closed` when the server drains; `.wrongShard`.
    public func listen(
        _ endpoint: Endpoint,
        options: ListenerOptions? = nil,
        placement: ListenerPlacement = .perShard
    ) throws(IOError) -> Listener {
        try check(.listen)
        guard !isDrainingHere else {
            throw IOError(.listen, reason: .closed, detail: "the server drains")
        }
        let options = options ?? runtime.listenerOptions
        let group = try runtime.registry.group(
            for: endpoint.resolve(),
            options,
            placement,
            shard: self
        )
        try group.listen(on: self)
        return Listener(shard: self, group: group, options: options.stream)
    }
}
