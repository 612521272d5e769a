/// What a scheduler has counted since it was made.
///
/// > Thread: Any thread.
package struct SchedulerCounters: Hashable, Sendable {
    /// Jobs queued.
    package var posts: UInt64 = 0
    /// Posts that told their caller to wake the loop; at most one for each time that it parked.
    package var wakesAsked: UInt64 = 0
    /// Posts refused after `close`.
    package var refusals: UInt64 = 0
}
