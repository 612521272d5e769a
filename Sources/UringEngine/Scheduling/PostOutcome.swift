/// What became of a posted job.
///
/// > Thread: Any thread.
package enum PostOutcome: Hashable, Sendable {
    /// The scheduler is closed; the job was not taken and will not run.
    case refused
    /// The job is queued and its loop is awake, or someone else has been told to wake it.
    case queued
    /// The job is queued, its loop sleeps or is about to: the caller calls the loop's `Waker`.
    case queuedWakeNeeded
}
