internal import CUring
internal import Glibc
public import Logging
internal import Synchronization

/// Runs one handler on every chosen core: starts the shards, watches, drains and stops them.
///
/// ```swift
/// let supervisor = try Supervisor(configuration: .fromEnvironment())
/// try await supervisor.run { shard in
///     let listener = try shard.listen(.tcp(host: "0.0.0.0", port: 7000))
///     try await listener.serve { connection in
///         while let bytes = try await connection.read() {
///             try await connection.write(bytes)
///         }
///     }
/// }
/// ```
///
/// > Thread: Any thread.
public final class Supervisor: Sendable {
    /// How it was made.
    public let configuration: Configuration
    /// Its shards and their CPUs, and why it is these.
    public let plan: CorePlan
    private let cpus: [Int?]
    private let logger: Logger
    private let current = Mutex<(runtime: Runtime, report: @Sendable (ShardEvent) -> Void)?>(nil)
    /// Makes a shard's loop; tests and other drivers put theirs here.
    private let makeLoop: @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop

    /// Chooses the cores; nothing is started yet.
    ///
    /// - Parameters:
    ///   - configuration: see there.
    ///   - logger: takes what a person should know; nil writes to standard error.
    /// - Throws: `ConfigurationError` for cores that this process may not use, and for fields of
    ///   `Configuration.loop` that no loop can be made with.
    public convenience init(
        configuration: Configuration = Configuration(),
        logger: Logger? = nil
    ) throws(ConfigurationError) {
        try self.init(configuration: configuration, logger: logger) {
            (_, options) throws(IOError) in try EventLoop(options)
        }
    }

    /// Chooses the cores, with a maker of loops.
    package convenience init(
        configuration: Configuration,
        logger: Logger?,
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    ) throws(ConfigurationError) {
        if let bad = configuration.loop.badField {
            throw ConfigurationError(
                variable: "LoopOptions.\(bad.name)",
                value: bad.value,
                accepted: bad.accepted
            )
        }
        try configuration.blocking.check()
        let plan = try CorePlan(configuration)
        self.init(
            configuration: configuration,
            logger: logger,
            plan: plan,
            cpus: plan.cpuOfShard,
            makeLoop: makeLoop
        )
    }

    /// Takes one shard for each entry of `cpus`, whatever the configuration says of cores.
    package convenience init(
        configuration: Configuration,
        logger: Logger?,
        cpus: [Int?],
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    ) throws(ConfigurationError) {
        self.init(
            configuration: configuration,
            logger: logger,
            plan: try CorePlan(configuration),
            cpus: cpus,
            makeLoop: makeLoop
        )
    }

    private init(
        configuration: Configuration,
        logger: Logger?,
        plan: CorePlan,
        cpus: [Int?],
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    ) {
        self.configuration = configuration
        self.plan = plan
        self.cpus = cpus
        self.logger =
            logger ?? Logger(label: "uringcore") { StreamLogHandler.standardError(label: $0) }
        self.makeLoop = makeLoop
    }

    /// Starts all shards and calls `handler` once on each; returns when all handlers have, or after a
    /// drain.
    ///
    /// All shards start or none does. A handler that throws is called again (`RestartPolicy`); its
    /// listening sockets stay open meanwhile. The drain begins with a signal of
    /// `Configuration.drainSignals`, with `drain()`, when the calling task is cancelled, or when a
    /// shard fails for good: accepting stops, idle connections end at once, those with a request under
    /// way may finish until `Configuration.drainTimeout`; then the handlers are cancelled.
    ///
    /// It may run again after it has returned.
    ///
    /// - Parameter handler: runs on each shard.
    /// - Throws: what kept it from starting, or ended it otherwise than by a drain.
    public func run(
        _ handler: @escaping @Sendable (Shard) async throws -> Void
    ) async throws(SupervisorError) {
        let (events, continuation) = AsyncStream.makeStream(of: ShardEvent.self)
        let report: @Sendable (ShardEvent) -> Void = { continuation.yield($0) }
        let runtime = try begin(report)
        if configuration.ignoresBrokenPipes { Self.ignoreBrokenPipes() }
        let failure = await withTaskCancellationHandler {
            await unsafe withHandedContinuation { continuation in
                // Not cancelled with the caller: it has a drain to see to.
                Task { [makeLoop] in
                    var run = RunCoordinator(
                        runtime: runtime,
                        makeLoop: makeLoop,
                        handler: handler,
                        events: events.makeAsyncIterator(),
                        report: report
                    )
                    // Safety: once.
                    unsafe continuation.resume(returning: await run.run())
                    await run.awaitHanging()
                }
            }
        } onCancel: {
            report(.drainRequested("its task was cancelled"))
        }
        current.withLock { $0 = nil }
        if let failure { throw failure }
    }

    /// Not taken back with the run's end: the program still has its last words to write.
    private static func ignoreBrokenPipes() {
        let result = cu_ignore_signal(SIGPIPE)
        precondition(result == 0, "SIGPIPE is a signal that can be ignored")
    }

    private func begin(
        _ report: @escaping @Sendable (ShardEvent) -> Void
    ) throws(SupervisorError) -> Runtime {
        let runtime = Runtime(plan: plan, cpus: cpus, configuration: configuration, logger: logger)
        return try current.withLock { (current) throws(SupervisorError) in
            guard current == nil else { throw .alreadyRunning }
            current = (runtime, report)
            return runtime
        }
    }

    /// Begins the drain, if it runs.
    public func drain() {
        current.withLock { $0 }?.report(.drainRequested("it was asked to"))
    }

    /// What every shard has counted: each shard's numbers of one moment, taken between two of its jobs.
    ///
    /// It waits for each shard to get round to it. Empty when it does not run.
    public func snapshot() async -> [ShardSnapshot] {
        guard let runtime = current.withLock({ $0?.runtime }) else { return [] }
        var snapshots: [ShardSnapshot] = []
        for shard in runtime.shards {
            if let snapshot = await ShardSnapshot.take(of: shard) { snapshots.append(snapshot) }
        }
        return snapshots
    }
}
