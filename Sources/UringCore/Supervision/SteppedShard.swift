internal import DequeModule
internal import Synchronization

/// A shard of a stepped run: its thread, as it were.
///
/// > Thread: The run's.
package final class SteppedShard {
    private enum Phase {
        /// Its thread was started and has done nothing.
        case new
        case serving(ShardLife)
        /// It was stopped, and sends what is left.
        case finishing(ShardLife)
        case ended
    }

    private let thread: ShardThread
    private var phase = Phase.new
    /// Its loop is between the halves of a tick.
    package private(set) var isWaiting = false
    /// What its loop had counted at its end.
    package private(set) var lastMetrics: LoopMetrics?

    init(_ thread: ShardThread) {
        self.thread = thread
    }

    /// Its number.
    package var index: Int { thread.index }

    /// Nothing more happens on it.
    package var hasEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    /// Its loop; nil before it was made, and after its end.
    package var loop: EventLoop? {
        switch phase {
        case .new, .ended: nil
        case .serving(let life), .finishing(let life): life.shard.loop
        }
    }

    /// Takes its next step: makes its loop, or ends a wait and begins the next.
    ///
    /// - Parameter willEnd: called before its loop runs by itself, one last time.
    package func step(willEnd: () -> Void) {
        switch phase {
        case .new: make()
        case .serving(let life), .finishing(let life):
            let isStopped = isWaiting && life.shard.loop.endTick()
            isWaiting = false
            advance(life, isStopped: isStopped, willEnd)
        case .ended: break
        }
    }

    private func make() {
        do throws(IOError) {
            let loop = try thread.makeLoop(thread.index, thread.options)
            let shard = Shard(index: thread.index, cpu: nil, loop: loop, runtime: thread.runtime)
            let life = ShardLife(shard, report: thread.report)
            life.begin()
            phase = .serving(life)
        } catch {
            thread.report(.notMade(thread.index, error))
            phase = .ended
            thread.report(.ended(thread.index))
        }
    }

    private func advance(_ life: ShardLife, isStopped: Bool, _ willEnd: () -> Void) {
        if isStopped, case .serving = phase {
            life.beginFinish()
            phase = .finishing(life)
        }
        if case .finishing = phase, life.isFinished { return end(life, willEnd) }
        do throws(IOError) {
            try life.shard.loop.beginTick()
            isWaiting = true
        } catch {
            life.fail(error)
            end(life, willEnd)
        }
    }

    private func end(_ life: ShardLife, _ willEnd: () -> Void) {
        willEnd()
        life.end()
        lastMetrics = life.shard.loop.metrics
        phase = .ended
        thread.report(.ended(thread.index))
    }
}

/// Runs the coordinator's steps when it is told to.
///
/// > Thread: `enqueue`: any thread; all else the run's.
final class SteppedExecutor: TaskExecutor {
    private let jobs = Mutex(Deque<UnownedJob>())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    var hasJob: Bool { jobs.withLock { !$0.isEmpty } }

    // Safety: this executor lives as long as its run, which calls this.
    func runJob() {
        guard let job = jobs.withLock({ $0.popFirst() }) else { return }
        unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
}
