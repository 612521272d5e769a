internal import CNUMA
internal import DequeModule

/// Threads for work that blocks: name resolution, file systems, libraries that know no other way.
///
/// A bounded number of threads is started as work comes, one at a time; those without work end
/// after a while. What waits for a thread is bounded too: one more is refused, so that a shard never
/// piles up work without noticing.
///
/// Every run of a supervisor has one, with the limits of `Configuration.blocking`.
///
/// > Thread: Any thread.
/// > Ownership: It holds each piece of work until it has run or was taken back. Threads that are
///   idle hold the pool; `close` ends them at once.
public final class BlockingPool: Sendable {
    /// How much it takes on.
    public let limits: BlockingLimits
    /// What its threads are called, followed by a number.
    public let name: String
    private let monitor = Monitor(State())
    private let startThread: @Sendable (@escaping @Sendable () -> Void) throws(IOError) -> Void

    private struct State {
        var queue = Deque<BlockingJob>()
        /// Which threads run, by number.
        var isRunning: [Bool] = []
        var threadCount = 0
        /// Those that look for work, or were started to.
        var idleCount = 0
        var isClosed = false
        var counters = Counters()
        var whenEmpty: [@Sendable () -> Void] = []
    }

    /// What a pool has counted.
    ///
    /// > Thread: Any thread.
    public struct Counters: Hashable, Sendable {
        /// Threads that run now.
        public fileprivate(set) var threads = 0
        /// Those of them that have nothing to do.
        public fileprivate(set) var idleThreads = 0
        /// Pieces of work that wait for a thread, or that one is about to take.
        public fileprivate(set) var queued = 0
        /// Threads that were ever started.
        public fileprivate(set) var threadsStarted: UInt64 = 0
        /// The most threads that ever ran at once.
        public fileprivate(set) var threadsPeak = 0
        /// Pieces of work that have run.
        public fileprivate(set) var completed: UInt64 = 0
        /// Pieces of work that were taken back before they began.
        public fileprivate(set) var dropped: UInt64 = 0
        /// Pieces of work that were refused.
        public fileprivate(set) var refused: UInt64 = 0
    }

    /// Makes a pool; no thread is started before there is work.
    ///
    /// - Parameters:
    ///   - limits: see there.
    ///   - name: of its threads; at most 10 bytes of it are seen, with the thread's number behind.
    /// - Throws: `ConfigurationError` that names the limit, its value and what is accepted.
    public convenience init(
        limits: BlockingLimits = BlockingLimits(),
        name: String = "uring-work"
    ) throws(ConfigurationError) {
        try limits.check()
        self.init(checked: limits, name: name)
    }

    /// Makes a pool with limits that were checked; `startThread` starts a thread that runs what it is given,
    /// and ends with it.
    init(
        checked limits: BlockingLimits,
        name: String = "uring-work",
        startThread:
            @escaping @Sendable (
                @escaping @Sendable () -> Void
            ) throws(IOError) -> Void = { (body) throws(IOError) in
                try PinnedThread.start(cpu: nil, isDetached: true) { _ in body() }
            }
    ) {
        self.limits = limits
        self.name = name
        self.startThread = startThread
    }

    /// What it has counted, all of one moment.
    public var counters: Counters {
        monitor.withLock { state in
            var counters = state.counters
            counters.threads = state.threadCount
            counters.idleThreads = state.idleCount
            counters.queued = state.queue.count
            return counters
        }
    }

    // MARK: Work

    /// Runs `work` on one of the threads, soon.
    ///
    /// - Returns: false when it was refused: the queue is full, the pool was closed, or no thread can
    ///   be had. Then `work` never runs.
    public func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        do throws(IOError) {
            _ = try submit(work)
            return true
        } catch {
            return false
        }
    }

    /// Runs `work` on one of the threads, soon.
    ///
    /// - Returns: the name to take it back by.
    /// - Throws: `.busy` when the queue is full, `.closed` after `close`, EAGAIN of pthread_create(3)
    ///   when there is no thread and none can be had.
    func submit(_ work: @escaping @Sendable () -> Void) throws(IOError) -> BlockingJob {
        let job = BlockingJob(work)
        switch monitor.withLock({ enqueue(job, &$0) }) {
        case .success(nil): monitor.signal()
        case .success(let number?): try start(number, with: job)
        case .failure(let error): throw error
        }
        return job
    }

    /// - Returns: the number of a thread that is to be started; nil when one that is there takes it.
    private func enqueue(_ job: BlockingJob, _ state: inout State) -> Result<Int?, IOError> {
        guard !state.isClosed else {
            state.counters.refused &+= 1
            return .failure(IOError(.runInExecutor, reason: .closed, detail: "the pool was closed"))
        }
        let isWanting = state.queue.count >= state.idleCount
        let canGrow = state.threadCount < limits.threadsMax
        guard !isWanting || canGrow || state.queue.count - state.idleCount < limits.queuedMax else {
            state.counters.refused &+= 1
            return .failure(full)
        }
        state.queue.append(job)
        return .success(isWanting && canGrow ? beginThread(&state) : nil)
    }

    private var full: IOError {
        IOError(
            .runInExecutor,
            reason: .busy,
            detail:
                "all \(limits.threadsMax) threads work, and \(limits.queuedMax) pieces of work wait"
        )
    }

    private func beginThread(_ state: inout State) -> Int {
        let number = state.isRunning.firstIndex(of: false) ?? state.isRunning.count
        if number == state.isRunning.count {
            state.isRunning.append(true)
        } else {
            state.isRunning[number] = true
        }
        state.threadCount += 1
        state.idleCount += 1
        state.counters.threadsStarted &+= 1
        state.counters.threadsPeak = max(state.counters.threadsPeak, state.threadCount)
        return number
    }

    private func start(_ number: Int, with job: BlockingJob) throws(IOError) {
        do throws(IOError) {
            try startThread { self.runThread(number) }
        } catch {
            // Another thread comes to it later, where there is one.
            let isLost = monitor.withLock { state in
                leave(number, &state)
                guard state.threadCount == 0 else { return false }
                state.counters.refused &+= 1
                return remove(job, &state)
            }
            if isLost { throw error }
        }
    }

    /// Takes work back that has not begun: it never runs, and what it holds ends here.
    ///
    /// - Returns: false when it has begun, or is over.
    @discardableResult
    func cancel(_ job: BlockingJob) -> Bool {
        // Out of the lock: what it holds may end with it, and come here again.
        let work = monitor.withLock { state in
            guard remove(job, &state) else { return nil as (@Sendable () -> Void)? }
            state.counters.dropped &+= 1
            return job.take()
        }
        return work != nil
    }

    private func remove(_ job: BlockingJob, _ state: inout State) -> Bool {
        guard let place = state.queue.firstIndex(where: { $0 === job }) else { return false }
        state.queue.remove(at: place)
        return true
    }

    // MARK: A thread

    private enum Step {
        case work(@Sendable () -> Void)
        case end
    }

    private func runThread(_ number: Int) {
        // Safety: the text lives during the call.
        unsafe "\(name.prefix(10))-\(number)".withCString { unsafe cn_name_thread($0) }
        while case .work(let work) = next(number) {
            work()
            monitor.withLock { state in
                state.counters.completed &+= 1
                state.idleCount += 1
            }
        }
        for action in monitor.withLock({ takeActions(&$0) }) { action() }
    }

    /// Waits for work, or for the thread's end: then it counts no more.
    private func next(_ number: Int) -> Step {
        let step = monitor.wait(until: .after(limits.idleTimeout)) { state, isOver -> Step? in
            if let work = state.queue.popFirst()?.take() {
                state.idleCount -= 1
                return .work(work)
            }
            guard isOver || state.isClosed else { return nil }
            leave(number, &state)
            return .end
        }
        return step ?? .end
    }

    private func leave(_ number: Int, _ state: inout State) {
        state.isRunning[number] = false
        state.threadCount -= 1
        state.idleCount -= 1
    }

    private func takeActions(_ state: inout State) -> [@Sendable () -> Void] {
        guard state.isClosed, state.threadCount == 0 else { return [] }
        defer { state.whenEmpty = [] }
        return state.whenEmpty
    }

    // MARK: The end

    /// Refuses work from now on, drops what has not begun, and ends the threads when what they do is
    /// done.
    ///
    /// - Parameter whenEmpty: called once, on any thread, when the last thread is about to end; at once
    ///   when there is none.
    public func close(whenEmpty: @escaping @Sendable () -> Void = {}) {
        let (dropped, actions) = monitor.withLock { state in
            state.isClosed = true
            state.whenEmpty.append(whenEmpty)
            defer { state.queue = [] }
            state.counters.dropped &+= UInt64(state.queue.count)
            return (Array(state.queue), takeActions(&state))
        }
        monitor.broadcast()
        // What they hold ends out of the lock.
        _ = consume dropped
        for action in actions { action() }
    }
}
