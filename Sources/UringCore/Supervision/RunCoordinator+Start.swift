internal import Logging

/// The start: all shards or none, and all alike.
extension RunCoordinator {
    /// A closed ring's memory comes back late: how often one size is tried, and the pause between.
    private static let triesMax = 3
    private static let pause = Duration.milliseconds(50)

    /// Starts every shard.
    ///
    /// One size for all is chosen from the memlock limit before any ring is made. A shard that still
    /// gets ENOMEM takes all down; they are made again, one size smaller.
    ///
    /// - Returns: which shard could not be made, and why; then none runs.
    mutating func start() async -> SupervisorError? {
        for line in runtime.plan.log { logger.info("\(line)") }
        var options = loopOptions
        var sizes = options.fittingRingSizes
        if sizes != options.uringDriver.sizes.normalized {
            logger.info("rings are made with \(sizes) to fit RLIMIT_MEMLOCK")
        }
        var tries = 1
        while true {
            options.set(sizes)
            guard let (shard, cause) = await startAll(options) else { return nil }
            guard cause.errno == .noMemory, cause.operation == .setUpRing else {
                return .startFailed(shard: shard, cpu: cpus[shard], cause: cause)
            }
            if tries < Self.triesMax {
                tries += 1
                try? await Task.sleep(for: Self.pause)
            } else if let smaller = sizes.smallerForAll {
                logger.info(
                    "shard \(shard) had no memory for \(sizes); all are made with \(smaller)"
                )
                sizes = smaller
                tries = 1
            } else {
                return .startFailed(shard: shard, cpu: cpus[shard], cause: cause)
            }
        }
    }

    private var loopOptions: LoopOptions {
        var options = runtime.plan.loop
        let logger = logger
        options.log = { logger.info("\($0)") }
        return options
    }

    /// Starts every shard once.
    ///
    /// - Returns: the first that could not be made; then all are down again.
    private mutating func startAll(_ options: LoopOptions) async -> (Int, IOError)? {
        var shards: [Int: Shard] = [:]
        var failure: (Int, IOError)?
        for (index, cpu) in cpus.enumerated() {
            do throws(IOError) {
                threads[index] = try thread(index, cpu, options).start()
            } catch {
                failure = failure ?? (index, error)
            }
        }
        var waiting = Set(threads.keys)
        while !waiting.isEmpty, let event = await events.next(isolation: nil) {
            switch event {
            case .ready(let index, let shard, let clock):
                waiting.remove(index)
                shards[index] = shard
                clocks[index] = clock
            case .notMade(let index, let cause), .failed(let index, let cause):
                waiting.remove(index)
                failure = failure ?? (index, cause)
            case .ended(let index): threads.removeValue(forKey: index)?.join()
            case .drainRequested: drainWasRequested = true
            case .handlerEnded, .drainExpired, .graceExpired: break
            }
        }
        runtime.shards = shards.sorted { $0.key < $1.key }.map(\.value)
        guard failure != nil else { return nil }
        await stop(except: [])
        runtime.shards = []
        return failure
    }

    private func thread(_ index: Int, _ cpu: Int?, _ options: LoopOptions) -> ShardThread {
        ShardThread(
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
