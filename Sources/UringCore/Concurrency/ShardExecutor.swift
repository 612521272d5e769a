/// Runs tasks on one shard: a task that prefers it never leaves the shard's thread.
///
/// Children of such a task inherit the preference; `Task { }` does not, and takes it as
/// `Task(executorPreference: shard.executor)`.
///
/// A step that is resumed on the shard costs no lock. One that comes from another thread goes through
/// the loop's inbox, and wakes it when it sleeps.
///
/// > Thread: Any thread.
/// > Ownership: Outlives its loop; steps that come later run on a thread of their own, see
/// > `LateSteps`.
public final class ShardExecutor: TaskExecutor {
    private let loop: EventLoop

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Queues a step of a task.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !loop.enqueue(job, for: .task) { runLate(job) }
    }

    // Safety: the closure holds this executor while the step runs.
    func runLate(_ job: UnownedJob) {
        LateSteps.shared.run { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs the actors that live on one shard.
///
/// An actor names it as its `unownedExecutor`. Off the echo path: an isolated call that suspends costs
/// a second step beside the task's own.
///
/// > Thread: Any thread.
/// > Ownership: As of `ShardExecutor`.
public final class ShardActorExecutor: SerialExecutor {
    private let loop: EventLoop
    private let tasks: ShardExecutor

    init(loop: EventLoop, tasks: ShardExecutor) {
        self.loop = loop
        self.tasks = tasks
    }

    /// Queues a step of an actor.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !loop.enqueue(job, for: .actor) { runLate(job) }
    }

    // Safety: the closure holds both executors while the step runs.
    func runLate(_ job: UnownedJob) {
        LateSteps.shared.run {
            unsafe job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(),
                taskExecutor: self.tasks.asUnownedTaskExecutor()
            )
        }
    }

    /// Whether the calling thread runs the shard.
    public func isIsolatingCurrentContext() -> Bool? { loop.isRunningHere }

    /// Traps when the calling thread does not run the shard.
    public func checkIsolated() {
        precondition(loop.isRunningHere, "an actor of a shard is used on its shard")
    }
}
