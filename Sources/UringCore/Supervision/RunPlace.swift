/// What a run needs beside its shards: threads, somebody who watches them, and time.
///
/// A program's run has those of the machine. A simulation has others, so that the same coordinator
/// runs in it.
///
/// > Thread: The task that runs the coordinator.
protocol RunPlace: Sendable {
    /// Starts a shard.
    ///
    /// - Returns: what waits for the end of its thread.
    /// - Throws: what kept the thread from starting.
    func start(_ thread: ShardThread) throws(IOError) -> @Sendable () -> Void

    /// Watches signals and stalls.
    ///
    /// - Returns: what ends the watch.
    /// - Throws: why signals cannot be watched.
    func watch(
        _ runtime: Runtime,
        clocks: [Int: ThreadClock],
        report: @escaping @Sendable (ShardEvent) -> Void
    ) throws(IOError) -> @Sendable () -> Void

    /// Waits.
    func pause(for duration: Duration) async

    /// Calls `body` after a time.
    ///
    /// - Returns: what takes it back.
    func call(
        after duration: Duration,
        _ body: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void
}

/// The machine: threads of the system, signals of the process, the global pool's timers.
///
/// > Thread: Any thread.
struct MachinePlace: RunPlace {
    func start(_ thread: ShardThread) throws(IOError) -> @Sendable () -> Void {
        let thread = try PinnedThread.start(cpu: thread.cpu) { thread.run(pinFailure: $0) }
        return { thread.join() }
    }

    func watch(
        _ runtime: Runtime,
        clocks: [Int: ThreadClock],
        report: @escaping @Sendable (ShardEvent) -> Void
    ) throws(IOError) -> @Sendable () -> Void {
        let watch = try WatchThread.start(runtime, clocks: clocks, report: report)
        return { watch.stop() }
    }

    func pause(for duration: Duration) async {
        try? await Task.sleep(for: duration)
    }

    func call(
        after duration: Duration,
        _ body: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let task = Task {
            do {
                // The pool's clock traps on what it cannot count: so much is no limit.
                try await Task.sleep(for: min(duration, .seconds(1 << 31)))
            } catch {
                // Taken back.
                return
            }
            body()
        }
        return { task.cancel() }
    }
}
