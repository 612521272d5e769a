/// One piece of blocking work whose end a loop is told of.
///
/// > Thread: On-loop only, but for the work itself.
/// > Ownership: The pool holds it until the work was done or taken back.
final class OffloadedWork<Value: Sendable>: @unchecked Sendable {
    // Safety: a thread of the pool only posts to the loop; the variables are the loop thread's alone.
    private let loop: EventLoop
    private let pool: BlockingPool
    private var completion: ((Result<Value, any Error>) -> Void)?
    private var job: BlockingJob?

    init(
        loop: EventLoop,
        pool: BlockingPool,
        completion: @escaping (Result<Value, any Error>) -> Void
    ) {
        self.loop = loop
        self.pool = pool
        self.completion = completion
    }

    func begin(_ work: @escaping @Sendable () throws -> Value) throws(IOError) {
        do throws(IOError) {
            job = try pool.submit { [self] in
                let result = Result { try work() }
                loop.callSoonThreadsafe { self.complete(result) }
            }
        } catch {
            completion = nil
            throw error
        }
    }

    /// What comes later is dropped.
    func cancel() {
        guard completion != nil, let job else { return }
        pool.cancel(job)
        self.job = nil
        loop.callSoon { [self] in
            complete(.failure(IOError(.runInExecutor, reason: .cancelled)))
        }
    }

    private func complete(_ result: Result<Value, any Error>) {
        job = nil
        completion.take()?(result)
    }
}

/// Blocking work that can be taken back.
///
/// > Thread: On-loop only.
public struct BlockingHandle {
    let loop: EventLoop
    let cancelWork: () -> Void

    /// Takes the work back: the completion comes with `.cancelled`, unless it came before.
    ///
    /// Work that has not begun never runs; work under way runs to its end, and its result is dropped.
    public func cancel() {
        loop.checkOnLoop()
        cancelWork()
    }
}

extension EventLoop {
    /// Runs blocking work on a thread of a pool, and calls `completion` back on this loop.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - pool: whose threads; `Shard.blockingPool` is its run's.
    ///   - work: blocks as long as it likes.
    ///   - completion: called once with what `work` returned or threw, or `.cancelled`; never before this
    ///     has returned, and never once the loop was shut down.
    /// - Returns: a handle that can take it back.
    /// - Throws: `.busy` when the pool's queue is full, `.closed` when pool or loop have ended, EAGAIN
    ///   when no thread can be had; then `completion` is not called.
    @discardableResult
    public func runInExecutor<Value: Sendable>(
        on pool: BlockingPool,
        _ work: @escaping @Sendable () throws -> Value,
        completion: @escaping (Result<Value, any Error>) -> Void
    ) throws(IOError) -> BlockingHandle {
        checkOnLoop()
        guard !isShutDown else {
            throw IOError(.runInExecutor, reason: .closed, detail: "the loop was shut down")
        }
        let offloaded = OffloadedWork(loop: self, pool: pool, completion: completion)
        try offloaded.begin(work)
        return BlockingHandle(loop: self) { offloaded.cancel() }
    }
}
