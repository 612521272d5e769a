internal import Logging

/// One run of a supervisor, as a sequence of events.
///
/// > Thread: The task that runs it.
struct RunCoordinator {
    let runtime: Runtime
    let makeLoop: @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    let handler: @Sendable (Shard) async throws -> Void
    var events: AsyncStream<ShardEvent>.Iterator
    let report: @Sendable (ShardEvent) -> Void
    let place: any RunPlace

    /// Those that run, each with what waits for its end.
    var threads: [Int: @Sendable () -> Void] = [:]
    var clocks: [Int: ThreadClock] = [:]
    private var handlers: [Int: Task<Void, Never>] = [:]
    private var failure: SupervisorError?
    private var isDraining = false
    /// What takes each timer back.
    private var timers: [@Sendable () -> Void] = []
    var drainWasRequested = false

    var logger: Logger { runtime.logger }
    /// The CPU of each shard; nil where the scheduler places it.
    let cpus: [Int?]

    init(
        runtime: Runtime,
        makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop,
        handler: @escaping @Sendable (Shard) async throws -> Void,
        events: AsyncStream<ShardEvent>.Iterator,
        report: @escaping @Sendable (ShardEvent) -> Void,
        place: any RunPlace = MachinePlace()
    ) {
        self.runtime = runtime
        self.cpus = runtime.cpus
        self.makeLoop = makeLoop
        self.handler = handler
        self.events = events
        self.report = report
        self.place = place
    }

    /// Runs to the end.
    ///
    /// - Returns: why it did not end well, or nil.
    mutating func run() async -> SupervisorError? {
        await warmUp()
        if let failure = await start() { return failure }
        let endWatch: @Sendable () -> Void
        do throws(IOError) {
            endWatch = try place.watch(runtime, clocks: clocks, report: report)
        } catch {
            await stop()
            runtime.blocking.close()
            return .signalsUnavailable(cause: error)
        }
        startHandlers()
        if drainWasRequested { beginDrain("it was asked to") }
        await awaitHandlers()
        await stop()
        await endBlockingWork()
        endWatch()
        for takeBack in timers { takeBack() }
        return failure
    }

    /// The drain's timers need a descriptor of the pool's own.
    ///
    /// It is opened with the first one, and
    /// libdispatch traps when that fails: in a server whose connections have taken all, say.
    private func warmUp() async {
        await place.pause(for: .milliseconds(1))
    }

    /// Ends the shards whose handlers ignored everything, as these end after all.
    ///
    /// Called after `run`.
    mutating func awaitHanging() async {
        while !handlers.isEmpty, let event = await events.next(isolation: nil) {
            switch event {
            case .handlerEnded(let shard, _), .failed(let shard, _):
                handlers[shard] = nil
                await stop()
            case .ready, .notMade, .ended, .drainRequested, .drainExpired, .graceExpired: break
            }
        }
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
            case .ended(let shard): threads.removeValue(forKey: shard)?()
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
            shard.loop.callSoonThreadsafe { shard.beginDrain() }
        }
        after(runtime.configuration.drainTimeout, .drainExpired)
    }

    private mutating func cancelHandlers() {
        guard !handlers.isEmpty else { return }
        logger.warning(
            "the drain's limit passed; the handlers of shards \(handlers.keys.sorted()) are cancelled"
        )
        for index in handlers.keys.sorted() { handlers[index]?.cancel() }
        after(runtime.configuration.cancellationGrace, .graceExpired)
    }

    private mutating func after(_ duration: Duration, _ event: ShardEvent) {
        timers.append(place.call(after: duration) { [report] in report(event) })
    }

    func name(_ shard: Int) -> String { Shard.name(shard, cpus[shard]) }

    // MARK: The end

    /// Stops the shards whose handlers have ended, waits for their threads, and closes the sockets that
    /// nobody accepts on any more.
    private mutating func stop() async {
        await stopShards()
        runtime.end(hanging: Set(handlers.keys))
    }

    /// Waits for the blocking work that is under way; what has not begun is dropped.
    private func endBlockingWork() async {
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        runtime.blocking.close { end.yield(true) }
        let takeBack = place.call(after: runtime.configuration.cancellationGrace) {
            end.yield(false)
        }
        var iterator = ends.makeAsyncIterator()
        if await iterator.next(isolation: nil) == false {
            logger.warning(
                "blocking work goes on after the run: \(runtime.blocking.counters.threads) threads"
            )
        }
        takeBack()
    }

    /// Stops the shards whose handlers have ended, and waits for their threads.
    mutating func stopShards() async {
        for index in threads.keys.sorted() where handlers[index] == nil { stop(index) }
        while threads.keys.contains(where: { handlers[$0] == nil }),
            let event = await events.next(isolation: nil)
        {
            switch event {
            case .ended(let shard): threads.removeValue(forKey: shard)?()
            case .failed(let shard, let cause):
                logger.warning("\(name(shard)) did not end in order: \(cause)")
            case .handlerEnded(let shard, _):
                handlers[shard] = nil
                stop(shard)
            case .drainRequested: drainWasRequested = true
            case .ready, .notMade, .drainExpired, .graceExpired: break
            }
        }
    }

    private func stop(_ index: Int) {
        guard let shard = runtime.shards.first(where: { $0.index == index }) else { return }
        shard.loop.callSoonThreadsafe { shard.loop.stop() }
    }
}
