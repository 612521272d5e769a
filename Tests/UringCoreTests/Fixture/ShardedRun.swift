import Testing
import UringTesting

@testable import UringCore
@testable import UringEngine

/// A supervisor that runs in the background of one test; its shards wait for the drain.
///
/// `withShards` makes one, and checks in the end that nothing is left.
final class ShardedRun: Sendable {
    let supervisor: Supervisor
    let shards: [Shard]
    /// What callbacks threw; a test that expects none need not look.
    let callbackErrors: SharedList<String>
    private let running: Task<Void, any Error>
    private let waits: [Task<Void, any Error>]
    private let drains = SharedCount()
    private let listens = SharedCount()

    private init(
        _ supervisor: Supervisor,
        _ shards: [Shard],
        _ callbackErrors: SharedList<String>,
        _ waits: [Task<Void, any Error>],
        _ running: Task<Void, any Error>
    ) {
        self.supervisor = supervisor
        self.shards = shards
        self.callbackErrors = callbackErrors
        self.waits = waits
        self.running = running
    }

    static func start(
        _ shardCount: Int,
        _ configuration: Configuration,
        faults: FaultPlan? = nil
    ) async throws -> ShardedRun {
        let callbackErrors = SharedList<String>()
        let supervisor = try Supervisor(
            configuration: configuration,
            logger: nil,
            cpus: Array(repeating: nil, count: shardCount)
        ) { (_, options) throws(IOError) in
            let loop = try makeLoop(options, faults)
            loop.onCallbackError = { callbackErrors.append("\($0.origin): \($0.error)") }
            return loop
        }
        let started = SharedList<Shard>()
        let waits = SharedList<Task<Void, any Error>>()
        let gate = EventGate()
        let running = Task {
            try await supervisor.run { shard in
                let wait = Task(executorPreference: shard.executor) { try await shard.untilDrain() }
                waits.append(wait)
                started.append(shard)
                gate.open()
                _ = await wait.result
            }
        }
        for _ in 0..<shardCount { try await gate.opened("a shard that starts") }
        let shards = started.all.sorted { $0.index < $1.index }
        return ShardedRun(supervisor, shards, callbackErrors, waits.all, running)
    }

    // MARK: Work on shards

    /// Starts a task on a shard.
    func task<Value: Sendable>(
        on index: Int = 0,
        _ body: @escaping @Sendable (Shard) async throws -> Value
    ) -> Task<Value, any Error> {
        let shard = shards[index]
        return Task(executorPreference: shard.executor) { try await body(shard) }
    }

    /// Runs a task on a shard to its end.
    @discardableResult
    func on<Value: Sendable>(
        _ index: Int = 0,
        _ what: String = "work on a shard",
        _ body: @escaping @Sendable (Shard) async throws -> Value
    ) async throws -> Value {
        try await ended(task(on: index, body), what)
    }

    /// Listens on a free port and serves on the given shards, all of them by default.
    func serve(
        on chosen: Range<Int>? = nil,
        options: ListenerOptions? = nil,
        onConnectionError: (@Sendable (any Error) -> Void)? = nil,
        _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) async throws -> SocketAddress {
        let listeners = try await listen(on: chosen ?? 0..<shards.count, options)
        for listener in listeners {
            Task(executorPreference: listener.shard.executor) {
                try await listener.serve(onConnectionError: onConnectionError, handler)
            }
        }
        try await serving(listeners.map(\.shard))
        return listeners[0].address
    }

    /// A listener on each of the given shards, at one free port.
    func listen(
        on chosen: Range<Int>,
        _ options: ListenerOptions? = nil,
        placement: ListenerPlacement = .perShard
    ) async throws -> [Listener] {
        // Port 0 is one port for each host: another listener takes another host.
        let host = "127.0.0.\(listens.add())"
        var listeners: [Listener] = []
        for index in chosen {
            let port = listeners.first?.address.port ?? 0
            listeners.append(
                try await on(index) {
                    try $0.listen(
                        .tcp(host: host, port: port),
                        options: options,
                        placement: placement
                    )
                }
            )
        }
        return listeners
    }

    private func serving(_ shards: [Shard]) async throws {
        for shard in shards {
            try await eventually("a shard serves", on: shard) { !$0.state.sessions.isEmpty }
        }
    }

    // MARK: Looking

    /// Waits until `condition` holds on a shard, which looks once a millisecond.
    func eventually(
        _ what: String,
        on shard: Shard,
        _ condition: @escaping @Sendable (Shard) -> Bool
    ) async throws {
        let gate = EventGate()
        let abandoned = SharedCount()
        @Sendable func look() {
            if condition(shard) { return gate.open() }
            if abandoned.value == 0 { shard.loop.callLater(.milliseconds(1)) { look() } }
        }
        guard shard.loop.callSoonThreadsafe({ look() }) else { throw Overdue(what: what) }
        do {
            try await gate.opened(what)
        } catch {
            abandoned.add()
            throw error
        }
    }

    /// Waits until every shard holds nothing but its listeners; a run that drains holds nothing soon.
    func settle() async throws {
        guard drains.value == 0 else { return }
        for shard in shards {
            do {
                try await eventually("\(shard) is at rest", on: shard) { $0.isAtRest }
            } catch {
                let left = try await on(shard.index) {
                    "\($0.loop.metrics), \($0.loop.timers.count) timers"
                }
                Issue.record("left on \(shard): \(left)")
                throw error
            }
        }
    }

    // MARK: The end

    func drain() {
        drains.add()
        supervisor.drain()
    }

    /// The shards' handlers return, without a drain: the run ends, whatever else still happens on it.
    func endHandlers() {
        drains.add()
        for wait in waits { wait.cancel() }
    }

    func awaitEnd() async throws {
        try await ended(running, "the run")
    }
}

/// A loop; with faults on a driver that fails as they say.
private func makeLoop(
    _ options: LoopOptions,
    _ faults: FaultPlan?
) throws(IOError) -> EventLoop {
    guard let faults else { return try EventLoop(options) }
    let driver = try FaultDriver(UringDriver(options: options.uringDriver), faults)
    return try EventLoop(driver: .custom(driver), options: options)
}

extension Shard {
    /// Nothing is open but the listeners, nothing is in flight, lent, waiting or timed.
    fileprivate var isAtRest: Bool {
        let metrics = loop.metrics
        // Of the shards that share one socket, one accepts.
        return metrics.openConnections == 0 && metrics.buffersLent == 0
            && metrics.descriptors <= state.sessions.count
            && metrics.operationsInFlight == metrics.descriptors
            && loop.timers.count == 0
    }
}

/// Runs `body` beside a supervisor, then expects that nothing of it is left.
func withShards(
    _ shardCount: Int = 1,
    expectsCallbackErrors: Bool = false,
    faults: FaultPlan? = nil,
    configure: (inout Configuration) -> Void = { _ in },
    location: SourceLocation = #_sourceLocation,
    _ body: (ShardedRun) async throws -> Void,
    whenEnded: () async throws -> Void = {}
) async throws {
    // The first timer of the global pool opens descriptors that stay.
    try await eventually("a first look") { true }
    let descriptorsBefore = openDescriptors()
    var configuration = Configuration()
    configuration.loop.memoryLock = .off
    configuration.drainSignals = []
    configuration.stallLimit = .zero
    configure(&configuration)
    let remains = try await run(location, expectsCallbackErrors, body) {
        try await ShardedRun.start(shardCount, configuration, faults: faults)
    }
    try await whenEnded()
    // The last task of the run may still be letting go.
    let isGone = try await onThread {
        // Less is fine: what a test before left behind may go meanwhile.
        eventually { remains.isGone && openDescriptors().isSubset(of: descriptorsBefore) }
    }
    guard !isGone else { return }
    #expect(remains.isGone, "nothing holds a loop any more", sourceLocation: location)
    #expect(openDescriptors().subtracting(descriptorsBefore) == [], sourceLocation: location)
}

private func run(
    _ location: SourceLocation,
    _ expectsCallbackErrors: Bool,
    _ body: (ShardedRun) async throws -> Void,
    start: () async throws -> ShardedRun
) async throws -> Remains {
    let run = try await start()
    do {
        try await body(run)
        try await run.settle()
    } catch {
        run.drain()
        try? await run.awaitEnd()
        throw error
    }
    run.drain()
    try await run.awaitEnd()
    if !expectsCallbackErrors {
        #expect(run.callbackErrors.all == [], sourceLocation: location)
    }
    for shard in run.shards {
        let metrics = shard.loop.metrics
        #expect(metrics.staleCompletions == 0, sourceLocation: location)
        #expect(metrics.buffersLent == 0, sourceLocation: location)
        #expect(metrics.operationsInFlight == 0, sourceLocation: location)
    }
    return Remains(run.shards)
}

/// The loops of a run that has ended: nothing may hold them any more.
private final class Remains: Sendable {
    private struct Weak: @unchecked Sendable {
        // Sendable: set once; reading a weak reference is atomic.
        weak var loop: EventLoop?
    }

    private let loops: [Weak]

    init(_ shards: [Shard]) {
        loops = shards.map { Weak(loop: $0.loop) }
    }

    var isGone: Bool { loops.allSatisfy { $0.loop == nil } }
}
