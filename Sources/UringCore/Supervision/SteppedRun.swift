internal import Logging
internal import Synchronization

/// Runs that were given up while tasks of theirs still waited: nothing frees a suspended task, and what it
/// holds is no leak as long as it can be reached from here.
private let keptRuns = Mutex<[SteppedRun]>([])

/// A supervisor's run that is turned by hand, on one thread, all shards included: for a simulation.
///
/// The coordinator, the shards' lives and their handlers are those of `Supervisor.run`. What differs
/// is the place: no thread is started, no signal is watched, time is the caller's, and nothing
/// happens unless the caller takes a step.
///
/// > Thread: The one that made it.
package final class SteppedRun {
    private let runtime: Runtime
    private let place: SteppedPlace
    private let makeLoop: @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    private let events: AsyncStream<ShardEvent>
    private let continuation: AsyncStream<ShardEvent>.Continuation
    private let outcome = Mutex<Outcome>(.running)

    /// How the run ended.
    package enum Outcome: Sendable {
        /// It has not.
        case running
        /// Every handler has ended, and so have the shards.
        case ended
        /// It ended for this reason.
        case failed(SupervisorError)
    }

    /// Lays a run out; nothing happens before `start`.
    ///
    /// - Parameters:
    ///   - configuration: of which cores, pinning, signals and stalls mean nothing here.
    ///   - shardCount: how many shards.
    ///   - callAfter: calls a body after so many nanoseconds of the caller's time.
    ///   - makeLoop: makes a shard's loop.
    /// - Throws: `ConfigurationError` for options that no loop can be made with.
    package init(
        configuration: Configuration,
        shardCount: Int,
        callAfter: @escaping (UInt64, @escaping () -> Void) -> Void,
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    ) throws(ConfigurationError) {
        var machine = AvailableResources(affinity: Array(0..<shardCount))
        machine.lockedMemory = .init(limitBytes: nil, isExempt: true)
        try configuration.blocking.check()
        let place = SteppedPlace(callAfter: callAfter)
        runtime = Runtime(
            plan: try CorePlan(configuration, on: machine),
            cpus: Array(repeating: nil, count: shardCount),
            configuration: configuration,
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() },
            blocking: place.makeBlockingPool(configuration.blocking)
        )
        self.place = place
        self.makeLoop = makeLoop
        (events, continuation) = AsyncStream.makeStream(of: ShardEvent.self)
    }

    /// Begins the run, as `Supervisor.run` does.
    package func start(_ handler: @escaping @Sendable (Shard) async throws -> Void) {
        let report: @Sendable (ShardEvent) -> Void = { [continuation] in continuation.yield($0) }
        let coordinator = RunCoordinator(
            runtime: runtime,
            makeLoop: makeLoop,
            handler: handler,
            events: events.makeAsyncIterator(),
            report: report,
            place: place
        )
        Task(executorPreference: place.executor) { [self] in
            var run = coordinator
            let failure = await run.run()
            end(failure.map { .failed($0) } ?? .ended)
            await run.awaitHanging()
        }
    }

    private nonisolated func end(_ outcome: Outcome) {
        self.outcome.withLock { $0 = outcome }
    }

    /// How it ended, if it has.
    package var result: Outcome { outcome.withLock { $0 } }

    /// Asks for the drain, as `Supervisor.drain` does.
    package func drain() {
        continuation.yield(.drainRequested("it was asked to"))
    }

    /// Cancels the handlers at once, as the supervisor does at the drain's limit.
    package func cancelHandlers() {
        continuation.yield(.drainExpired)
    }

    /// Keeps a run that will never end, with its tasks and all that they hold, until the process ends.
    package func keep() {
        keptRuns.withLock { $0.append(self) }
    }

    // MARK: Steps

    /// The coordinator has something to do.
    package var hasJob: Bool { place.executor.hasJob }

    /// Runs the coordinator's next step.
    package func runJob() {
        place.executor.runJob()
    }

    /// The shards that were started, in order; those that have ended among them.
    package var shards: [SteppedShard] { place.shards }

    /// Every shard that was started has ended.
    package var hasEnded: Bool {
        if case .running = result { return false }
        return place.shards.allSatisfy(\.hasEnded) && !hasJob
    }
}

// Sendable: it never leaves the thread that made it; the tasks that hold it run there.
// Safety: as above.
extension SteppedRun: @unchecked Sendable {}

/// The place of a stepped run: its caller's thread, and its caller's time.
///
/// > Thread: The one that made it.
private final class SteppedPlace: RunPlace, @unchecked Sendable {
    // Safety: it never leaves the thread that made it.
    let executor = SteppedExecutor()
    var shards: [SteppedShard] = []
    private let callAfter: (UInt64, @escaping () -> Void) -> Void

    init(callAfter: @escaping (UInt64, @escaping () -> Void) -> Void) {
        self.callAfter = callAfter
    }

    func start(_ thread: ShardThread) throws(IOError) -> @Sendable () -> Void {
        shards.append(SteppedShard(thread))
        return {}
    }

    func watch(
        _ runtime: Runtime,
        clocks: [Int: ThreadClock],
        report: @escaping @Sendable (ShardEvent) -> Void
    ) throws(IOError) -> @Sendable () -> Void {
        {}
    }

    func pause(for duration: Duration) async {}

    /// A pool whose threads are events of the caller's: one does what there is, and ends.
    func makeBlockingPool(_ limits: BlockingLimits) -> BlockingPool {
        var limits = limits
        limits.idleTimeout = .zero
        return BlockingPool(checked: limits) { [unowned self] (body) throws(IOError) in
            callAfter(0, body)
        }
    }

    func call(
        after duration: Duration,
        _ body: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let pending = PendingCall()
        callAfter(duration.clampedNanoseconds) {
            if pending.isWanted { body() }
        }
        return { pending.isWanted = false }
    }
}

/// Whether a call that was asked for is still wanted.
private final class PendingCall: @unchecked Sendable {
    // Safety: it never leaves the thread that made it.
    var isWanted = true
}
