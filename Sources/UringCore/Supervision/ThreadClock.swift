internal import CNUMA

/// The CPU time of one thread, readable from any other.
///
/// > Thread: Any thread reads.
struct ThreadClock: Sendable {
    private let id: Int32

    /// The calling thread's clock (pthread_getcpuclockid(3)); it can be read as long as the thread lives.
    static var current: ThreadClock { ThreadClock(id: cn_thread_clock()) }

    /// CPU time spent so far; nil when the thread is gone.
    var time: Duration? {
        let nanoseconds = cn_clock_nanoseconds(id)
        return nanoseconds < 0 ? nil : .nanoseconds(nanoseconds)
    }
}
