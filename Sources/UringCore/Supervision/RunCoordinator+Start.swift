internal import Logging

/// The start: all shards or none, and all alike.
extension RunCoordinator {
    /// A closed ring's memory comes back late: how often one size is tried, and the pause between.
    private static let triesMax = 3
    private static let pause = Duration.milliseconds(50)

    /// Starts every shard.
    ///
    /// One size for all is chosen from the memlock limit before any ring is made. A shard that still
    /// gets ENOMEM takes all down; they are made again, one size smaller. Where one says that io_uring is
    /// not to be had at all, all are made again on epoll, unless the configuration insists: the shards
    /// of a run never differ.
    ///
    /// - Returns: which shard could not be made, and why; then none runs.
    mutating func start() async -> SupervisorError? {
        let log = StartLog(logger)
        defer { log.end() }
        for line in runtime.plan.log { log.log(line) }
        var options = runtime.plan.loop
        options.loopCount = cpus.count
        options.log = { log.log($0) }
        let mayFallBack = options.backend == .auto
        if mayFallBack { options.backend = .uring }
        var sizes = options.fittingRingSizes
        if options.backend != .epoll, let reason = options.fittingRingSizesReason {
            log.log(reason)
        }
        var tries = 1
        while true {
            options.set(sizes)
            guard let (shard, cause) = await startAll(options) else { return nil }
            if mayFallBack, options.backend == .uring, cause.meansNoUring {
                logger.warning("\(BackendChoice.fallbackLine(because: cause))")
                options.backend = .epoll
                continue
            }
            // One alone has tried smaller ones itself.
            guard cause.errno == .noMemory, cause.operation == .setUpRing, cpus.count > 1 else {
                return .startFailed(shard: shard, cpu: cpus[shard], cause: cause)
            }
            if tries < Self.triesMax {
                tries += 1
                await place.pause(for: Self.pause)
            } else if let smaller = sizes.smallerForAll {
                log.log("\(name(shard)) had no memory for \(sizes); all are made with \(smaller)")
                sizes = smaller
                tries = 1
            } else {
                return .startFailed(shard: shard, cpu: cpus[shard], cause: cause)
            }
        }
    }

    /// Starts every shard once.
    ///
    /// - Returns: the first that could not be made; then all are down again.
    private mutating func startAll(_ options: LoopOptions) async -> (Int, IOError)? {
        var failures: [Int: IOError] = [:]
        for (index, cpu) in cpus.enumerated() {
            do throws(IOError) {
                threads[index] = try place.start(thread(index, cpu, options))
            } catch {
                failures[index] = error
            }
        }
        let started = await awaitStart(&failures)
        guard let failure = failures.min(by: { $0.key < $1.key }) else {
            if let summary = started.first?.summary { logger.info("\(summary)") }
            return nil
        }
        // Not the end of the run: the listeners' registry stays as it is for the next try.
        await stopShards()
        runtime.shards = []
        return (failure.key, failure.value)
    }

    /// Waits until every shard stands or has failed.
    private mutating func awaitStart(_ failures: inout [Int: IOError]) async -> [StartedShard] {
        var started: [StartedShard] = []
        var waiting = Set(threads.keys)
        while !waiting.isEmpty, let event = await events.next(isolation: nil) {
            switch event {
            case .ready(let shard):
                waiting.remove(shard.index)
                started.append(shard)
            case .notMade(let index, let cause), .failed(let index, let cause):
                waiting.remove(index)
                failures[index] = cause
            case .ended(let index): threads.removeValue(forKey: index)?()
            case .drainRequested: drainWasRequested = true
            case .handlerEnded, .drainExpired, .graceExpired: break
            }
        }
        started.sort { $0.index < $1.index }
        runtime.shards = started.map(\.shard)
        clocks = Dictionary(uniqueKeysWithValues: started.map { ($0.index, $0.clock) })
        return started
    }

    private func thread(_ index: Int, _ cpu: Int?, _ options: LoopOptions) -> ShardThread {
        var options = options
        if options.offload == nil {
            options.offload = { [blocking = runtime.blocking] in blocking.run($0) }
        }
        return ShardThread(
            index: index,
            cpu: cpu,
            runtime: runtime,
            options: options,
            makeLoop: makeLoop,
            report: report
        )
    }
}

extension RingSizes {
    /// Half of everything, for shards that must stay alike; nil below what a loop needs.
    fileprivate var smallerForAll: RingSizes? {
        guard submissionEntries > 8 else { return nil }
        return RingSizes(
            submissionEntries: submissionEntries / 2,
            completionEntries: max(submissionEntries * 2, completionEntries / 2),
            providedEntries: max(16, providedEntries / 2)
        )
    }
}
