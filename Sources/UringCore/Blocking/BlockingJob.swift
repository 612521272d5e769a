/// One piece of work in a blocking pool.
///
/// > Thread: Any thread may hold one; the pool's lock guards it.
final class BlockingJob: @unchecked Sendable {
    // Safety: only the pool touches `work`, under its lock.
    private var work: (@Sendable () -> Void)?

    init(_ work: @escaping @Sendable () -> Void) {
        self.work = work
    }

    /// Moves the work out: what it holds ends with the caller.
    func take() -> (@Sendable () -> Void)? { work.take() }
}
