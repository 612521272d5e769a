/// Connections that the shard makes.
extension Shard {
    /// Connects, as `connect(to:using:)` does.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - timeout: how long it may take.
    ///   - options: how the stream behaves.
    /// - Returns: the connection.
    /// - Throws: as of `connect(to:using:)`.
    public func connect(
        to endpoint: Endpoint,
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions()
    ) async throws(IOError) -> Connection {
        try await connect(to: endpoint, using: ConnectOptions(timeout: timeout, stream: options))
    }

    /// Connects: to a numeric address, to a Unix socket, or to a name.
    ///
    /// A name's addresses are found by `Configuration.resolver`, off the loop, and tried as RFC 8305 says
    /// (Happy Eyeballs): the families take turns, each address has a head start of
    /// `ConnectOptions.attemptDelay` over the next, the first that answers wins.
    ///
    /// > Ownership: Whoever gets it closes or aborts it; what is left is closed when the shard ends. Where a
    ///   scope will do, `withConnection` sees to that, and its reads cost less.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - options: how long it may take in all, from where, and how the stream behaves.
    /// - Returns: the connection.
    /// - Throws: what connect(2) says of the last address, naming all that were tried; `.nameNotResolved`,
    ///   `.deadlineExceeded`, `.cancelled`, `.wrongShard`; `.invalidArgument` for a name that is none, port
    ///   0, and options out of range.
    public func connect(
        to endpoint: Endpoint,
        using options: ConnectOptions
    ) async throws(IOError) -> Connection {
        try check(.connect)
        let end = Deadline.after(options.timeout)
        let addresses = try await addresses(of: endpoint, until: end)
        var options = options
        let spent = Deadline.now.nanoseconds
        options.timeout = .nanoseconds(end.nanoseconds > spent ? end.nanoseconds - spent : 0)
        let attempt = AwaitedConnect(shard: self)
        attempt.begin(addresses, options)
        return try await attempt.finish()
    }

    /// Connects, and ends the connection with the scope, as `withConnection(to:using:_:)` does.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - timeout: how long connecting may take.
    ///   - options: how the stream behaves.
    ///   - body: uses the connection.
    /// - Returns: what `body` returns.
    /// - Throws: as of `connect(to:using:)`, and what `body` throws.
    public func withConnection<Value>(
        to endpoint: Endpoint,
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions(),
        _ body: (Connection) async throws -> Value
    ) async throws -> Value {
        let options = ConnectOptions(timeout: timeout, stream: options)
        return try await withConnection(to: endpoint, using: options, body)
    }

    /// Connects, and ends the connection with the scope: closed when `body` returns, reset when it throws.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - options: how long connecting may take, from where, and how the stream behaves.
    ///   - body: uses the connection.
    /// - Returns: what `body` returns.
    /// - Throws: as of `connect(to:using:)`, and what `body` throws.
    public func withConnection<Value>(
        to endpoint: Endpoint,
        using options: ConnectOptions,
        _ body: (Connection) async throws -> Value
    ) async throws -> Value {
        let connection = try await connect(to: endpoint, using: options)
        return try await connection.core.own { try await body(connection) }
    }

    private func addresses(
        of endpoint: Endpoint,
        until end: Deadline
    ) async throws(IOError) -> [SocketAddress] {
        guard case .tcp(let host, let port) = endpoint else { return [try endpoint.resolve()] }
        try HostName.check(port: port)
        // Not by its error: what is no address is a name.
        if let numeric = try? endpoint.resolve() { return [numeric] }
        let name = try HostName(host)
        let found = try await resolve(name, port, until: end)
        // A resolver of the program's own may have come back elsewhere.
        try check(.connect)
        guard !found.isEmpty else {
            throw IOError(.resolve, reason: .nameNotResolved(.notFound), detail: "\(name)")
        }
        return SocketAddress.interleaved(found)
    }

    private func resolve(
        _ name: HostName,
        _ port: UInt16,
        until end: Deadline
    ) async throws(IOError) -> [SocketAddress] {
        let resolver = runtime.configuration.resolver
        do {
            return try await withDeadline(end) {
                try await resolver.addresses(of: name, port: port, on: self)
            }
        } catch let error as IOError where error.reason == .deadlineExceeded {
            throw IOError(.resolve, reason: .deadlineExceeded, detail: "\(name)")
        } catch let error as IOError {
            throw error
        } catch {
            preconditionFailure("a resolver throws an IOError")
        }
    }
}

extension ConnectOptions {
    fileprivate init(timeout: Duration, stream: StreamOptions) {
        self.init()
        self.timeout = timeout
        self.stream = stream
    }
}

/// One awaited connect.
///
/// > Thread: On-loop only, but for what says otherwise.
private final class AwaitedConnect: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let shard: Shard
    private let core: ConnectionCore
    private let waiter: Waiter
    private var handle: ConnectHandle?
    private var result: Result<StreamTransport, any Error>?
    private var isAbandoned = false

    init(shard: Shard) {
        self.shard = shard
        core = ConnectionCore(shard: shard)
        waiter = Waiter(loop: shard.loop)
    }

    func begin(_ addresses: [SocketAddress], _ options: ConnectOptions) {
        handle = shard.loop.connect(
            to: addresses,
            using: options,
            makeHandler: { [core] in core },
            completion: { [self] in connected($0) }
        )
    }

    private func connected(_ result: Result<StreamTransport, any Error>) {
        self.result = result
        // It leads to the connector, whose completion leads here: kept, the two would keep each other,
        // and the connection.
        handle = nil
        // Nobody will use it.
        if isAbandoned, case .success(let transport) = result { transport.abort() }
        waiter.resume()
    }

    func finish() async throws(IOError) -> Connection {
        if result == nil {
            await waiter.wait(timeout: nil, isCancelledElsewhere: false)
            do throws(IOError) {
                try shard.check(waiter.finish(), .connect)
            } catch {
                // Where the task went on elsewhere, `result` is not its to look at.
                shard.loop.perform { [self] in abandon() }
                throw error
            }
        }
        switch result {
        case .success: return Connection(core: core)
        case .failure(let error as IOError): throw error
        case .failure, nil: throw IOError(.connect, reason: .cancelled)
        }
    }

    private func abandon() {
        isAbandoned = true
        handle?.cancel()
        if case .success(let transport) = result { transport.abort() }
    }
}
