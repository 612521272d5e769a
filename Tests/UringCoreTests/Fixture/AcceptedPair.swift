import Testing

@testable import UringCore
@testable import UringEngine

/// Which task uses a connection.
enum Place: CaseIterable {
    /// The one that serves it, whose cancellation is watched as a whole.
    case handler
    /// Another one on its shard, which watches each wait of its own.
    case otherTask
}

/// An accepted connection, whose handler does what the test tells it, and the client at its other end.
final class AcceptedPair: Sendable {
    typealias Step = @Sendable (Connection) async -> Void

    let connection: Connection
    let client: BlockingClient
    private let steps: AsyncStream<Step>.Continuation

    init(
        _ connection: Connection,
        _ client: BlockingClient,
        _ steps: AsyncStream<Step>.Continuation
    ) {
        self.connection = connection
        self.client = client
        self.steps = steps
    }

    /// Starts `body` in a task on the connection's shard.
    func start<Value: Sendable>(
        _ place: Place,
        _ body: @escaping @Sendable (Connection) async throws -> Value
    ) -> Task<Value, any Error> {
        let connection = connection
        switch place {
        case .otherTask:
            return Task(executorPreference: connection.shard.executor) {
                try await body(connection)
            }
        case .handler:
            let result = LeftValue<Result<Value, any Error>>()
            steps.yield { connection in
                do {
                    result.put(.success(try await body(connection)))
                } catch {
                    result.put(.failure(error))
                }
            }
            return Task {
                try await onThread { try result.take("the end of a step of the handler").get() }
            }
        }
    }

    /// Runs `body` in a task on the connection's shard to its end.
    @discardableResult
    func on<Value: Sendable>(
        _ place: Place,
        _ what: String = "work with a connection",
        _ body: @escaping @Sendable (Connection) async throws -> Value
    ) async throws -> Value {
        try await ended(start(place, body), what)
    }

    /// Starts `body` and returns when it has called `ready` and suspended after it.
    func started<Value: Sendable>(
        _ place: Place,
        _ body:
            @escaping @Sendable (Connection, _ ready: @Sendable () -> Void) async throws -> Value
    ) async throws -> Task<Value, any Error> {
        let gate = EventGate()
        let task = start(place) { connection in try await body(connection) { gate.open() } }
        try await gate.opened("a task that begins to wait")
        // What runs on the shard now runs after that task has suspended.
        try await on(.otherTask) { _ in }
        return task
    }

    /// Lets the handler return, and closes the client.
    func end() {
        steps.finish()
        client.close()
    }
}

extension ShardedRun {
    /// One connection on shard 0.
    func pair(
        sendBuffer: Int32? = nil,
        receiveBuffer: Int32? = nil,
        options: ListenerOptions? = nil,
        onConnectionError: (@Sendable (any Error) -> Void)? = nil
    ) async throws -> AcceptedPair {
        let accepted = LeftValue<(Connection, AsyncStream<AcceptedPair.Step>.Continuation)>()
        let address = try await serve(
            on: 0..<1,
            options: options,
            onConnectionError: onConnectionError
        ) { connection in
            let (steps, continuation) = AsyncStream.makeStream(of: AcceptedPair.Step.self)
            accepted.put((connection, continuation))
            for await step in steps { await step(connection) }
        }
        let (client, (connection, steps)) = try await onThread {
            let client = try BlockingClient(
                to: address,
                sendBuffer: sendBuffer,
                receiveBuffer: receiveBuffer
            )
            return (client, try accepted.take("a connection that is accepted"))
        }
        return AcceptedPair(connection, client, steps)
    }
}

extension Connection {
    /// The next bytes; none at the end.
    func readArray(timeout: Duration? = nil) async throws(IOError) -> [UInt8] {
        guard let bytes = try await read(timeout: timeout) else { return [] }
        return bytes.copyToArray()
    }

    /// Reads until that many have come, or the end.
    func readArray(atLeast count: Int) async throws(IOError) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let some = try await readArray()
            guard !some.isEmpty else { break }
            all += some
        }
        return all
    }

    /// What the received pieces behind the first pin.
    ///
    /// > Thread: on its shard.
    var heldBytes: Int { core.transport.parkedBytes }
}

/// A copy of an array, as if it had been received.
func received(_ array: [UInt8]) -> ReceivedBytes {
    var bytes = ReceivedBytes(copying: UnsafeRawBufferPointer(start: nil, count: 0))
    array.withUnsafeBytes { bytes = ReceivedBytes(copying: $0) }
    return bytes
}

/// The reason of the `IOError` that `body` throws; anything else fails the test.
func thrownReason<Value>(
    location: SourceLocation = #_sourceLocation,
    of body: () async throws -> Value
) async -> IOError.Reason? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as IOError {
        return error.reason
    } catch {
        Issue.record("not an IOError: \(error)", sourceLocation: location)
    }
    return nil
}
