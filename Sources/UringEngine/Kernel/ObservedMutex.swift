#if URINGCORE_OBSERVED_LOCKS
internal import CUring
internal import Synchronization

/// The standard library's mutex, whose hand-over ThreadSanitizer sees.
///
/// A contended `Mutex` is handed over by the kernel (a priority-inheriting futex), of which
/// ThreadSanitizer knows nothing: Swift 6.3.1 reports a race in thirty lines that add one to a
/// `Mutex<Int>`. Only builds for that sanitizer have this type; each module calls it `Mutex` there.
///
/// > Thread: Any thread.
@safe package struct ObservedMutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Sendable: as `Mutex`.
    // Safety: `mark` is this value's own from init to deinit; only its address is used.
    private let mutex: Synchronization.Mutex<Value>
    private let mark: UnsafeMutableRawPointer

    /// Guards a value.
    package init(_ value: consuming sending Value) {
        mutex = Synchronization.Mutex(value)
        unsafe mark = .allocate(byteCount: 1, alignment: 1)
    }

    deinit {
        unsafe mark.deallocate()
    }

    /// Calls `body` with the value, one thread at a time.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value) throws(Failure) in
            unsafe cu_lock_was_taken(mark)
            defer { unsafe cu_lock_will_be_left(mark) }
            return try body(&value)
        }
    }
}

typealias Mutex<Value: ~Copyable> = ObservedMutex<Value>
#endif
