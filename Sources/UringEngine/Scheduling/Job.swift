/// An object of the loop that runs jobs without a closure, and so without an allocation.
///
/// > Thread: On-loop only.
package protocol JobTarget: AnyObject {
    /// Runs the job that was queued with this tag. What the tags mean is the target's own affair.
    func runJob(tag: UInt8)

    /// The loop has ended before the timer that should have run this job; by default nothing happens.
    func timerDropped(tag: UInt8)
}

extension JobTarget {
    /// Nobody waits for it.
    package func timerDropped(tag: UInt8) {}
}

/// One piece of work that a loop runs between two waits.
///
/// > Ownership: A closure or target is held until the job has run or was dropped. An executor job
///   is not: who takes one off a queue has to run it, or its task hangs for ever.
/// > Thread: Any thread may hold one; it runs on-loop only.
package enum Job: @unchecked Sendable {
    // Safety: a job crosses threads only by `Scheduler.post`. What is posted as a
    // closure was `@Sendable` at the face that took it; a target is posted by code that knows it to
    // live on the loop, only its reference count is touched elsewhere; an executor job belongs to
    // the runtime and may be moved. The queue's mutex orders the hand-over.

    /// Work of the program. What it throws, the loop reports.
    case closure(() throws -> Void)
    /// Work of the engine itself.
    case target(any JobTarget, tag: UInt8)
    /// A step of a Swift task, and which of the loop's executors runs it.
    case executor(UnownedJob, ExecutorRole)
}

/// The two executors that stand on one loop.
///
/// > Thread: Any thread.
package enum ExecutorRole: UInt8, Sendable {
    /// Steps of tasks that prefer the loop.
    case task
    /// Steps of actors that live on the loop.
    case actor
}
