#if URINGCORE_OBSERVED_LOCKS
internal import CUring

/// A continuation that another thread resumes, whose hand-over ThreadSanitizer sees.
///
/// When the resume comes before the task has suspended, Swift's runtime (6.3.1) tells the sanitizer nothing
/// of it: the task goes on at once, and what the other thread did looks like a race. Only builds for that
/// sanitizer have this type; elsewhere it is `UnsafeContinuation`. The standard library's checked one does
/// the same within the library, which the sanitizer does not look into.
///
/// > Thread: Any thread.
@unsafe package struct HandedContinuation<Value, Failure: Error>: @unchecked Sendable {
    // Sendable: as of the continuation.
    // Safety: `mark` is allocated until the task goes on; only its address is used.
    private let base: CheckedContinuation<Value, Failure>
    private let mark: UnsafeMutableRawPointer

    fileprivate init(_ base: CheckedContinuation<Value, Failure>, _ mark: UnsafeMutableRawPointer) {
        unsafe self.base = base
        unsafe self.mark = unsafe mark
    }

    /// Resumes the task; called once.
    package func resume(with result: sending Result<Value, Failure>) {
        unsafe cu_lock_will_be_left(mark)
        unsafe base.resume(with: result)
    }

    /// Resumes the task; called once.
    package func resume(returning value: sending Value) {
        unsafe cu_lock_will_be_left(mark)
        unsafe base.resume(returning: value)
    }

    /// Resumes the task; called once.
    package func resume() where Value == Void {
        unsafe resume(returning: ())
    }
}

/// Suspends until another thread resumes.
// Safety: as of `HandedContinuation`.
package func withHandedContinuation<Value>(
    _ body: (HandedContinuation<Value, Never>) -> Void
) async -> sending Value {
    let mark = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    defer { unsafe mark.deallocate() }
    let value = await withCheckedContinuation { unsafe body(HandedContinuation($0, mark)) }
    unsafe cu_lock_was_taken(mark)
    return value
}

/// Suspends until another thread resumes, or fails.
// Safety: as of `HandedContinuation`.
package func withHandedThrowingContinuation<Value>(
    _ body: (HandedContinuation<Value, any Error>) -> Void
) async throws -> sending Value {
    let mark = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    defer { unsafe mark.deallocate() }
    defer { unsafe cu_lock_was_taken(mark) }
    return try await withCheckedThrowingContinuation { unsafe body(HandedContinuation($0, mark)) }
}
#else
/// A continuation that another thread resumes.
///
/// > Thread: Any thread.
package typealias HandedContinuation = UnsafeContinuation

/// Suspends until another thread resumes, which it does exactly once.
// Safety: the caller's.
@inline(__always)
package func withHandedContinuation<Value>(
    _ body: (UnsafeContinuation<Value, Never>) -> Void
) async -> sending Value {
    await unsafe withUnsafeContinuation(body)
}

/// Suspends until another thread resumes, or fails, which it does exactly once.
// Safety: the caller's.
@inline(__always)
package func withHandedThrowingContinuation<Value>(
    _ body: (UnsafeContinuation<Value, any Error>) -> Void
) async throws -> sending Value {
    try await unsafe withUnsafeThrowingContinuation(body)
}
#endif
