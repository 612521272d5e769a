internal import Logging

/// One run of a supervisor, as a sequence of events.
///
/// > Thread: The task that runs it.
struct RunCoordinator {
    /// How long handlers have to end after their cancellation.
    static let grace = Duration.seconds(5)

    let runtime: Runtime
    let makeLoop: @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    let handler: @Sendable (Shard) async throws -> Void
    var events: AsyncStream<ShardEvent>.Iterator
    let report: @Sendable (ShardEvent) -> Void

    var threads: [Int: PinnedThread] = [:]
    var clocks: [Int: ThreadClock] = [:]
    private var handlers: [Int: Task<Void, Never>] = [:]
    private var failure: SupervisorError?
    private var isDraining = false
    private var timers: [Task<Void, Never>] = []
    var drainWasRequested = false

    var logger: Logger { runtime.logger }
    /// The CPU of each shard; nil where the scheduler places it.
    let cpus: [Int?]

    init(
        runtime: Runtime,
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop,
        handler: @escaping @Sendable (Shard) async throws -> Void,
        events: AsyncStream<ShardEvent>.Iterator,
        report: @escaping @Sendable (ShardEvent) -> Void
    ) {
        self.runtime = runtime
        self.cpus = runtime.plan.cpuOfShard
        self.makeLoop = makeLoop
        self.handler = handler
        self.events = events
        self.report = report
    }

    /// Runs to the end.
    ///
    /// - Returns: why it did not end well, or nil.
    mutating func run() async -> SupervisorError? {
        if let failure = await start() { return failure }
        let watch: WatchThread
        do throws(IOError) {
            watch = try WatchThread.start(runtime, clocks: clocks, report: report)
        } catch {
            await stop(except: [])
            return .signalsUnavailable(cause: error)
        }
        startHandlers()
        if drainWasRequested { beginDrain("it was asked to") }
        await awaitHandlers()
        await stop(except: Set(handlers.keys))
        watch.stop()
        for timer in timers { timer.cancel() }
        return failure
    }

    private mutating func startHandlers() {
        for shard in runtime.shards {
            let loop = HandlerLoop(
                shard: shard,
                policy: runtime.configuration.restarts,
                handler: handler,
                report: report
            )
            handlers[shard.index] = Task(executorPreference: shard.executor) { await loop.run() }
        }
    }

    // MARK: While it runs

    /// Returns when every handler has ended, or when the last grace is over.
    private mutating func awaitHandlers() async {
        while !handlers.isEmpty, let event = await events.next(isolation: nil) {
            switch event {
            case .handlerEnded(let shard, let error):
                handlers[shard] = nil
                if let error { fail(.handlerFailed(shard: shard, cause: error)) }
            case .failed(let shard, let cause), .notMade(let shard, let cause):
                handlers[shard] = nil
                fail(.shardFailed(shard: shard, cpu: runtime.cpu(of: shard), cause: cause))
            case .drainRequested(let why): beginDrain(why)
            case .drainExpired: cancelHandlers()
            case .graceExpired:
                return fail(.drainTimedOut(shards: handlers.keys.sorted()))
            case .ended(let shard): threads.removeValue(forKey: shard)?.join()
            case .ready: preconditionFailure("a shard is ready once, before handlers run")
            }
        }
    }

    private mutating func fail(_ failure: SupervisorError) {
        logger.error("\(failure)")
        self.failure = self.failure ?? failure
        beginDrain("a shard failed")
    }

    private mutating func beginDrain(_ why: String) {
        guard !isDraining else { return }
        isDraining = true
        logger.info("draining: \(why)")
        for shard in runtime.shards {
            shard.loop.callSoonThreadsafe { shard.state.beginDrain() }
        }
        after(runtime.configuration.drainTimeout, .drainExpired)
    }

    private mutating func cancelHandlers() {
        guard !handlers.isEmpty else { return }
        logger.warning(
            "the drain's limit passed; the handlers of shards \(handlers.keys.sorted()) are cancelled"
        )
        for handler in handlers.values { handler.cancel() }
        after(Self.grace, .graceExpired)
    }

    private mutating func after(_ duration: Duration, _ event: ShardEvent) {
        timers.append(
            Task { [report] in
                do {
                    try await Task.sleep(for: duration)
                } catch {
                    // Cancelled: the run is over.
                    return
                }
                report(event)
            }
        )
    }

    // MARK: The end

    /// Stops the shards whose handlers have ended, and waits for their threads.
    mutating func stop(except hanging: Set<Int>) async {
        let shards = runtime.shards.filter { !hanging.contains($0.index) }
        for (position, shard) in shards.enumerated() {
            shard.loop.callSoonThreadsafe { [runtime] in
                if position == 0 { runtime.registry.close(through: shard.loop.control) }
                shard.loop.stop()
            }
        }
        for shard in hanging { threads[shard] = nil }
        while !threads.isEmpty, let event = await events.next(isolation: nil) {
            switch event {
            case .ended(let shard): threads.removeValue(forKey: shard)?.join()
            case .failed(let shard, let cause):
                let name = Shard.name(shard, runtime.cpu(of: shard))
                logger.warning("\(name) did not end in order: \(cause)")
            case .ready, .notMade, .handlerEnded, .drainRequested, .drainExpired, .graceExpired:
                break
            }
        }
    }
}
