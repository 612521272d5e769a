/// Connections that the shard makes.
extension Shard {
    /// Connects.
    ///
    /// > Ownership: Whoever gets it closes or aborts it; what is left is closed when the shard ends. Where a
    ///   scope will do, `withConnection` sees to that, and its reads cost less.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - timeout: how long it may take.
    ///   - options: how the stream behaves.
    /// - Returns: the connection.
    /// - Throws: what connect(2) says, naming the address; `.deadlineExceeded`, `.cancelled`,
    ///   `.invalidArgument`, `.wrongShard`.
    public func connect(
        to endpoint: Endpoint,
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions()
    ) async throws(IOError) -> Connection {
        try check(.connect)
        let address = try endpoint.resolve()
        let attempt = AwaitedConnect(shard: self)
        attempt.begin(address, timeout: timeout, options)
        return try await attempt.finish()
    }

    /// Connects, and ends the connection with the scope: closed when `body` returns, reset when it throws.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - timeout: how long connecting may take.
    ///   - options: how the stream behaves.
    ///   - body: uses the connection.
    /// - Returns: what `body` returns.
    /// - Throws: as of `connect(to:timeout:options:)`, and what `body` throws.
    public func withConnection<Value>(
        to endpoint: Endpoint,
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions(),
        _ body: (Connection) async throws -> Value
    ) async throws -> Value {
        let connection = try await connect(to: endpoint, timeout: timeout, options: options)
        return try await connection.core.own { try await body(connection) }
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

    func begin(_ address: SocketAddress, timeout: Duration, _ options: StreamOptions) {
        handle = shard.loop.connect(
            to: [address],
            timeout: timeout,
            options: options,
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
