internal import Glibc

/// State behind a lock, with a condition to wait for (pthread_cond_timedwait(3)).
///
/// `Synchronization` has no condition; its mutex serves where nobody waits.
///
/// > Thread: Any thread, but none of a shard's while it waits.
@safe final class Monitor<State>: @unchecked Sendable {
    // Sendable: the lock guards the state.
    // Safety: both objects of pthread lie at fixed addresses from init to deinit.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    init(_ state: State) {
        self.state = state
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Not the wall clock, which a person may set.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the state, one thread at a time.
    func withLock<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Wakes one of those that wait.
    func signal() {
        unsafe pthread_cond_signal(condition)
    }

    /// Wakes all that wait.
    func broadcast() {
        unsafe pthread_cond_broadcast(condition)
    }

    /// Calls `body` until it returns a value, waiting for a signal between two calls.
    ///
    /// - Parameters:
    ///   - deadline: on the monotonic clock; after it `body` is called once more.
    ///   - body: called with the state under the lock; the second argument says that the time is over,
    ///     and then what it returns counts, nil included.
    /// - Returns: what `body` returned last.
    func wait<Value>(until deadline: Deadline, _ body: (inout State, Bool) -> Value?) -> Value? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var end = timespec(
            tv_sec: Int(deadline.nanoseconds / 1_000_000_000),
            tv_nsec: Int(deadline.nanoseconds % 1_000_000_000)
        )
        while true {
            if let value = body(&state, false) { return value }
            if unsafe pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT {
                return body(&state, true)
            }
        }
    }
}
