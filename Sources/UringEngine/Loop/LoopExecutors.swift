/// The executors that stand on a loop, as the language's unowned references.
///
/// Two objects: one object for both costs an extra enqueue on every nonisolated call.
///
/// > Thread: Before start only.
/// > Ownership: Whoever installs them keeps the objects as long as the loop.
@safe package struct LoopExecutors {
    // Safety: see the ownership above.
    /// Runs steps of tasks that prefer the loop.
    package let task: UnownedTaskExecutor
    /// Runs steps of actors that live on the loop.
    package let actor: UnownedSerialExecutor
    /// Takes the steps that are left when the loop has ended; each must still run, elsewhere.
    package let late: @Sendable (UnownedJob, ExecutorRole) -> Void

    /// Names the executors.
    package init(
        task: UnownedTaskExecutor,
        actor: UnownedSerialExecutor,
        late: @escaping @Sendable (UnownedJob, ExecutorRole) -> Void
    ) {
        unsafe self.task = task
        unsafe self.actor = actor
        self.late = late
    }
}
