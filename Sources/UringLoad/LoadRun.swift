internal import CUring
internal import Glibc
package import UringCore

/// One run of the load client: a pinned thread with one event loop on each chosen core, the
/// connections spread evenly over them.
///
/// > Thread: Any thread.
package struct LoadRun: Sendable {
    private let configuration: Configuration
    private let job: LoadJob
    private let cores: CorePlan
    private let workerCount: Int
    private let log: @Sendable (String) -> Void

    /// What the allocator may keep for the next messages.
    ///
    /// By default it gives the top of a heap back from 128 KiB on (mallopt(3)). With 50 messages of
    /// 16 KiB in flight that cost 3 page faults a request, and 40 % of the requests.
    private static let freedBytesKept: Int64 = 256 << 20

    /// Prepares a run, and raises the limit of open files to what it needs.
    ///
    /// `log` takes one line for a person; it is called seldom, on any thread.
    ///
    /// - Throws: `ConfigurationError` for a plan out of bounds, for cores that this process may not
    ///   use, and for more connections than it may have files open.
    package init(
        _ plan: LoadPlan,
        to target: LoadTarget,
        configuration: Configuration,
        log: @escaping @Sendable (String) -> Void
    ) throws(ConfigurationError) {
        try plan.check()
        cores = try CorePlan(configuration)
        workerCount = min(cores.shardCount, plan.connections)
        self.configuration = configuration
        self.job = LoadJob(plan, to: target, drainLimit: configuration.drainTimeout)
        self.log = log
        try DescriptorLimit.raise(forConnections: plan.connections, loops: workerCount)
    }

    /// Connects, exchanges, closes.
    ///
    /// It changes how the process's allocator treats freed memory, for good.
    ///
    /// SIGINT and SIGTERM end the window early; a second one ends the process at once.
    ///
    /// > Thread: It blocks its caller until the end.
    ///
    /// - Throws: `LoadFailure` when not all connections could be made.
    package func run() throws(LoadFailure) -> LoadResult {
        cu_keep_freed_memory(Self.freedBytesKept)
        let coordinator = LoadCoordinator(workerCount: workerCount)
        var threads: [PinnedThread] = []
        do throws(IOError) {
            for index in 0..<workerCount {
                let thread = try PinnedThread.start(cpu: cores.cpuOfShard[index]) { pinFailure in
                    work(index, pinFailure, coordinator)
                }
                threads.append(thread)
            }
        } catch {
            coordinator.fail("\(error)")
        }
        for thread in threads { thread.join() }
        return try coordinator.outcome()
    }

    /// What runs on each thread.
    private func work(_ index: Int, _ pinFailure: IOError?, _ coordinator: LoadCoordinator) {
        do throws(IOError) {
            try place(index, pinFailure)
            var options = cores.loop
            options.log = log
            let loop = try EventLoop(options)
            defer { loop.shutDown() }
            try work(on: loop, index, coordinator)
        } catch {
            coordinator.fail("\(error)")
        }
    }

    /// A thread that could not be bound runs elsewhere, unless the user insists.
    private func place(_ index: Int, _ pinFailure: IOError?) throws(IOError) {
        guard let pinFailure else {
            let cpus = cores.affinity(ofShard: index)
            if !cores.isPinned, !cpus.isEmpty { try ThreadAffinity.bind(to: cpus) }
            return
        }
        if configuration.pinning == .on { throw pinFailure }
        log("\(pinFailure); the scheduler places worker \(index)")
    }

    private func work(
        on loop: EventLoop,
        _ index: Int,
        _ coordinator: LoadCoordinator
    ) throws(IOError) {
        // One watch a process: the first worker's, for all.
        let signals = index == 0 ? [SIGINT, SIGTERM] : []
        var watches: [SignalWatch] = []
        // Also when the loop fails: a watch that is let go while it is armed is a trap.
        defer {
            for watch in watches { watch.cancel() }
            watches.removeAll()
        }
        for signal in signals {
            let watch = try SignalWatch(signal, on: loop) {
                for watch in watches { watch.cancel() }
                log("interrupted; a second signal ends at once, without the report")
                coordinator.interrupt()
            }
            watches.append(watch)
        }
        let worker = LoadWorker(
            loop: loop,
            job: job,
            numbers: job.numbers(ofWorker: index, of: workerCount),
            coordinator: coordinator
        )
        guard coordinator.join(worker) else { return }
        coordinator.leave(worker, result: try worker.run())
    }
}
