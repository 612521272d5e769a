/// Accepted connections, one after the other, for a program that decides by itself what runs for each.
///
/// ```swift
/// for try await connection in listener.connections {
///     group.addTask { try await connection.use { try await serve($0) } }
/// }
/// ```
///
/// `Listener.serve` does the same with less. While nobody asks for the next one, accepting goes on until
/// `limit` connections wait here; the others wait in the backlog. It ends with the server's drain, and
/// accepting ends with the iterator: what waits in it then is reset.
///
/// > Thread: On the listener's shard; one task at a time.
/// > Ownership: Whoever gets a connection closes or aborts it: see `Connection.use`.
public struct ListenerConnections: AsyncSequence {
    private let listener: Listener
    private let limit: Int

    init(_ listener: Listener, limit: Int) {
        self.listener = listener
        self.limit = Swift.max(1, limit)
    }

    /// Accepts as long as it lives.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let stream: AcceptStream

        fileprivate init(_ stream: AcceptStream) {
            self.stream = stream
        }

        /// The next connection; nil when the server drains.
        ///
        /// - Throws: `.busy` when this shard serves the address already, `.cancelled`, `.deadlineExceeded`,
        ///   `.closed`, `.wrongShard`.
        public mutating func next() async throws(IOError) -> Connection? {
            try await stream.next()
        }

        /// As `next`, where the caller is.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(IOError) -> Connection? {
            try await stream.next()
        }
    }

    /// Begins to accept with the first call of `next`.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(AcceptStream(listener, limit: limit))
    }
}

extension Listener {
    /// Accepted connections, at most 16 ahead of whoever takes them.
    public var connections: ListenerConnections { connections(ahead: 16) }

    /// Accepted connections.
    ///
    /// - Parameter limit: how many are accepted ahead of whoever takes them, at least one; of an address
    ///   whose shards share one socket, those that another shard hands over come on top.
    /// - Returns: a sequence that accepts while it is iterated.
    public func connections(ahead limit: Int) -> ListenerConnections {
        ListenerConnections(self, limit: limit)
    }
}

/// One iteration's accepting.
///
/// > Thread: On-loop only; it may end anywhere.
private final class AcceptStream: @unchecked Sendable {
    // Safety: its end posts; all else is checked to be on the loop's thread.
    private let listener: Listener
    private let limit: Int
    private let session: ServeSession
    private var hasBegun = false

    init(_ listener: Listener, limit: Int) {
        self.listener = listener
        self.limit = limit
        session = ServeSession(loop: listener.shard.loop)
    }

    deinit {
        guard hasBegun else { return }
        listener.shard.loop.perform { [listener, session] in
            listener.stop(session)
        }
    }

    func next() async throws(IOError) -> Connection? {
        let shard = listener.shard
        try shard.check(.accept)
        if !hasBegun {
            try begin()
            hasBegun = true
        }
        guard let core = try await session.nextWatched(shard) else {
            try checkEnd()
            return nil
        }
        // There may be room for the next.
        shard.loop.resumeAcceptors()
        return Connection(core: core)
    }

    private func begin() throws(IOError) {
        let isHeldUp: () -> Bool = { [session, limit] in session.waitingCount >= limit }
        try listener.begin(session, isHeldUp: isHeldUp) { [listener, session] descriptor in
            let shard = listener.shard
            let core = ConnectionCore(shard: shard)
            shard.loop.adopt(
                descriptor,
                kind: listener.kind,
                options: listener.options,
                handler: core
            )
            session.append(core)
        }
    }

    private func checkEnd() throws(IOError) {
        guard case .closed = session.ended else { return }
        throw Runtime.ended(listener.shard, .accept)
    }
}

extension Listener {
    /// Ends accepting, and what was accepted for nobody.
    ///
    /// > Thread: On the shard.
    fileprivate func stop(_ session: ServeSession) {
        shard.state.sessions.remove(session.number)
        session.abortAll()
        guard !shard.state.isOver else { return group.abandonServing(on: shard) }
        group.endServing(on: shard) { [self] in
            // Some may have come before the end of accepting.
            session.abortAll()
            if shard.isDrainingHere { group.closeSocket(of: shard) }
        }
    }
}
