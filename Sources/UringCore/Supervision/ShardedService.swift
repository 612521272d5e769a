public import ServiceLifecycle

/// A server as a service of swift-service-lifecycle: graceful shutdown of its group begins the drain.
///
/// The group handles signals, so the supervisor's configuration leaves them alone
/// (`Configuration.drainSignals` empty).
///
/// > Thread: Any thread.
public struct ShardedService: Service {
    /// What runs the shards.
    public let supervisor: Supervisor
    private let handler: @Sendable (Shard) async throws -> Void

    /// Describes a server; `run` starts it.
    ///
    /// - Parameters:
    ///   - supervisor: what runs the shards.
    ///   - handler: as of `Supervisor.run`.
    public init(
        supervisor: Supervisor,
        handler: @escaping @Sendable (Shard) async throws -> Void
    ) {
        self.supervisor = supervisor
        self.handler = handler
    }

    /// Runs until the group shuts down.
    ///
    /// - Throws: as of `Supervisor.run`.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await supervisor.run(handler)
        } onGracefulShutdown: {
            supervisor.drain()
        }
    }
}
