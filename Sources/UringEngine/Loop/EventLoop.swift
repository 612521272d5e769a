internal import CUring
internal import DequeModule
internal import Glibc

/// One core's loop: it turns submissions, completions, timers and posted jobs into callbacks, all
/// on one thread.
///
/// A turn ("tick") reads as a table of contents, each phase bounded:
///
/// ```
/// takePosted     the inbox is swapped out under the lock, and run after it
/// fireTimers     those due
/// runReady       the jobs present at the start
/// flushWrites    write queues become operations
/// submitAndWait  one system call, with the next deadline
/// reap           completions are copied out, then dispatched
/// ```
///
/// > Thread: Made and run on one thread. Everything is on-loop only and checked, but
/// > `callSoonThreadsafe` and `isOnLoop`.
/// > Ownership: It owns its driver, its pool, and every descriptor that its transports opened.
public final class EventLoop: @unchecked Sendable {
    // Exclusivity: unchecked where the loop's thread touches a variable several times a completion
    // and no method lends it out while it calls something else (docs/decisions/0003).
    // Safety: the variables marked so are the loop thread's alone.
    // Sendable: `callSoonThreadsafe` touches only the scheduler and the waker; all else checks its
    // thread.

    let driver: LoopDriver
    private let driverOwner: AnyObject
    let operations: OperationTable
    let scratch = ScratchPool()
    let descriptors: DescriptorTable
    let pool: BufferPool
    /// The same, for the completion path: a borrowed reference costs no count.
    var borrowedPool: Unmanaged<BufferPool> { unsafe .passUnretained(pool) }
    let scheduler = Scheduler()
    let waker: any Waker
    @safe @exclusivity(unchecked) var ready = ReadyQueue()
    @safe @exclusivity(unchecked) var posted = ReadyQueue()
    @safe @exclusivity(unchecked) var timers = TimerHeap<Job>()
    let dirty = OwnerQueue()
    let starved = OwnerQueue()
    let quarantine: Quarantine
    let fileCalls = FileCallTable()
    /// Made when a file first needs memory.
    var filePool: BufferPool?
    var hasTriedFilePool = false
    /// Calls that another thread carries out.
    var offloadedCount = 0
    /// How this loop was made.
    public let options: LoopOptions
    let inputCapBytes: Int
    let providedBuffersMax: Int
    let spinNanoseconds: UInt64
    /// A TCP send of as many bytes is made without a copy; `.max` for none.
    @safe @exclusivity(unchecked) var zeroCopyBytesMin = Int.max
    private let identity = LoopIdentity()
    /// What a pool of this loop knows its thread by.
    var poolIdentity: AnyObject { identity }
    private let ownerThread = pthread_self()
    #if DEBUG
    private let process = getpid()
    #endif

    @safe @exclusivity(unchecked) var batch: CompletionBatch
    @safe @exclusivity(unchecked) var state = State.idle
    @safe @exclusivity(unchecked) var cachedNow: UInt64?
    /// This tick ran a job or a timer.
    @safe @exclusivity(unchecked) var hasRunWork = false
    @safe @exclusivity(unchecked) var counters = LoopMetrics()
    @safe @exclusivity(unchecked) var openConnections = 0 {
        didSet { heartbeat.publish(openConnections: openConnections) }
    }
    /// This loop has SIGPIPE blocked on its thread.
    var guardsBrokenPipe = false
    /// Those who wait for a descriptor of somebody else's, by its number.
    var readinessOwners: [Descriptor: DescriptorOwner] = [:]
    /// Those who wait for a signal, by its number.
    var signalOwners: [Int32: DescriptorOwner] = [:]
    /// Listeners that wait for a free descriptor or for a place below the connection limit.
    var pausedAcceptors: [DescriptorOwner] = []
    /// A stale completion is counted and dropped; without this a debug build traps.
    package var toleratesStaleCompletions = false
    /// Who runs the steps of Swift tasks here; nil where no async face stands on the loop.
    // Safety: whoever sets them keeps them as long as the loop.
    @safe @exclusivity(unchecked) package var executors: LoopExecutors?
    /// Steps of Swift tasks that were queued on the loop's own thread; only debug builds count them.
    @safe @exclusivity(unchecked) package internal(set) var queuedStepCount = 0
    /// What other threads may read of this loop.
    package let heartbeat = LoopHeartbeat()
    /// Takes what users' callbacks throw.
    ///
    /// The default logs one line.
    public var onCallbackError: (CallbackFailure) -> Void

    enum State {
        case idle
        case running
        case stopping
        case shutDown
    }

    /// Makes a loop on a given driver, on the thread that will run it.
    ///
    /// - Throws: `.invalidArgument` for options that no loop can be made with; errors of `.mapMemory`,
    ///   `.lock` and `.registerBuffers`.
    package init(driver choice: DriverChoice, options: LoopOptions = LoopOptions()) throws(IOError)
    {
        try options.check()
        // Safety: the owner is kept as long as the loop.
        switch choice {
        case .uring(let driver):
            self.driver = unsafe .uring(.passUnretained(driver))
            self.driverOwner = driver
        case .epoll(let driver):
            self.driver = unsafe .epoll(.passUnretained(driver))
            self.driverOwner = driver
        case .custom(let driver):
            let box = CustomDriver(driver)
            self.driver = unsafe .custom(.passUnretained(box))
            self.driverOwner = box
        }
        self.options = options
        self.waker = driver.base.waker
        self.operations = try OperationTable(operationsMax: 1 << 22)
        self.descriptors = try DescriptorTable(descriptorsMax: 1 << 20)
        self.pool = try BufferPool(options.pool, loop: identity, waker: driver.base.waker)
        self.quarantine = Quarantine(nanoseconds: options.quarantine.clampedNanoseconds)
        self.providedBuffersMax = driver.base.providedBuffersMax
        self.spinNanoseconds = options.spin.clampedNanoseconds
        self.batch = CompletionBatch(capacity: options.limits.completionsPerTickMax)
        let poolBytes = options.bufferBytes * options.bufferCount
        self.inputCapBytes = max(4 * options.bufferBytes, min(262_144, poolBytes / 16))
        if options.zeroCopyThreshold > 0, driver.base.capabilities.zeroCopySend {
            self.zeroCopyBytesMin = options.zeroCopyThreshold
        }
        let log = options.log
        self.onCallbackError = { log("a \($0.origin.rawValue) callback threw: \($0.error)") }
        try reportLock()
        try driver.base.adopt(pool.region)
        provideFreeBuffers()
    }

    /// Makes a loop on what the options ask for, on the thread that will run it.
    ///
    /// Where that is `.auto` and comes to epoll, the log says why in one line.
    ///
    /// - Throws: `.invalidArgument` for options that no loop can be made with, naming field, value and
    ///   what is accepted; errors of `.setUpRing` and `.setUpDriver` that say what to change; and
    ///   those of memory.
    public convenience init(_ options: LoopOptions = LoopOptions()) throws(IOError) {
        try options.check()
        try self.init(driver: DriverChoice(options), options: options)
    }

    deinit {
        // A loop that was not shut down has no descriptor left (they hold it), but its buffers may
        // be out.
        guard state != .shutDown else { return }
        pool.orphan()
        filePool?.orphan()
    }

    private func reportLock() throws(IOError) {
        guard let failure = pool.lockFailure else { return }
        let wanted = options.bufferBytes * options.bufferCount
        let detail =
            "\(wanted) bytes wanted, RLIMIT_MEMLOCK is \(cu_locked_memory_limit()) bytes (-1 is none)"
        guard options.memoryLock == .on else {
            return options.log("buffer pool not locked: \(failure), \(detail)")
        }
        throw IOError(.lock, errno: failure, detail: detail + "; raise it with `ulimit -l`")
    }

    // MARK: Threads

    /// The calling thread runs this loop, or made it.
    public var isOnLoop: Bool {
        // Safety: the pointer is only compared.
        if unsafe cu_current_loop() == identity.pointer { return true }
        return pthread_equal(ownerThread, pthread_self()) != 0
    }

    /// A tick of this loop runs on the calling thread.
    ///
    /// > Thread: Any thread.
    @inline(__always)
    package var isRunningHere: Bool {
        // Safety: the pointer is only compared.
        unsafe cu_current_loop() == identity.pointer
    }

    /// Traps when called from another thread.
    @inline(__always)
    package func checkOnLoop() {
        checkProcess()
        // Safety: the pointer is only compared.
        if unsafe cu_current_loop() == identity.pointer { return }
        precondition(isOnLoop, "an event loop is used on its own thread; use callSoonThreadsafe")
    }

    /// Traps in a child that fork(2) made; debug builds only.
    ///
    /// It has neither the ring nor the pool (madvise(2), MADV_DONTFORK), and shares the descriptors with
    /// its parent.
    @inline(__always)
    func checkProcess() {
        #if DEBUG
        precondition(
            process == getpid(),
            "an event loop is used in the process that made it; a forked child makes its own, or execs"
        )
        #endif
    }

    // MARK: Running

    /// Runs until `stop`.
    ///
    /// - Throws: an error of `.wait` when the kernel refuses to wait.
    public func runForever() throws(IOError) {
        try enter()
        defer { leave() }
        while state == .running { try tick(mayWait: true) }
    }

    /// Runs one tick.
    ///
    /// - Parameter mayWait: park until something happens, when there was nothing to do. A tick that
    ///   ran a job or a timer does not park after it: it may have brought about what the caller waits
    ///   for.
    /// - Throws: an error of `.wait` when the kernel refuses to wait.
    public func runOnce(mayWait: Bool = false) throws(IOError) {
        try enter()
        defer { leave() }
        try tick(mayWait: mayWait, waitsAfterWork: false)
    }

    func enter() throws(IOError) {
        checkOnLoop()
        switch state {
        case .idle:
            state = .running
            heartbeat.publish(isParked: false)
        case .running, .stopping: preconditionFailure("a loop runs once at a time")
        case .shutDown: throw IOError(.wait, reason: .closed, detail: "the loop was shut down")
        }
    }

    func leave() {
        heartbeat.publish(isParked: true)
        if state != .shutDown { state = .idle }
    }

    /// Ends `runForever` after the current tick.
    ///
    /// > Thread: On-loop only; elsewhere `callSoonThreadsafe { loop.stop() }`.
    public func stop() {
        checkOnLoop()
        if state == .running { state = .stopping }
    }

    /// Makes this the thread's current loop during `body`.
    @inline(__always)
    func asCurrent<Failure>(_ body: () throws(Failure) -> Void) throws(Failure) {
        // Safety: the pointer is a number to compare; the identity lives as long as the loop.
        let outer = unsafe cu_current_loop()
        unsafe cu_set_current_loop(identity.pointer)
        defer { unsafe cu_set_current_loop(outer) }
        try body()
    }

    /// The loop's clock in nanoseconds, read at most once a tick.
    package var now: UInt64 {
        if let cachedNow { return cachedNow }
        let reading = driver.base.now()
        cachedNow = reading
        return reading
    }

    /// What the loop has counted.
    public var metrics: LoopMetrics {
        var metrics = counters
        let driverMetrics = driver.base.metrics
        metrics.enters = driverMetrics.enters
        metrics.completions = driverMetrics.completions
        metrics.overflows = driverMetrics.overflows
        metrics.openConnections = openConnections
        metrics.descriptors = descriptors.count
        metrics.operationsInFlight = operations.inFlightCount
        metrics.staleCompletions = operations.staleCount
        metrics.buffersLent = pool.lentCount + (filePool?.lentCount ?? 0)
        let schedulerCounters = scheduler.counters
        metrics.posts = schedulerCounters.posts
        metrics.wakes = schedulerCounters.wakesAsked
        return metrics
    }

    /// What the loop stands on.
    public var backend: Backend {
        switch driver {
        case .uring: .uring
        case .epoll: .epoll
        case .custom: .custom
        }
    }

    /// The driver, its set-up rung and what is off, in one line.
    public var driverSummary: String { driver.base.summary }
}

/// A word that is unique to one loop, for `cu_current_loop`: its own address.
///
/// The pool holds it too: buffers outlive the loop, and a later loop at the same address would be
/// taken for theirs.
// Safety: the pointer is only compared, never followed.
@safe private final class LoopIdentity {
    var pointer: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
