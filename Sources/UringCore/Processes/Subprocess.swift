/// A process that a shard started, in async code.
///
/// Its piped streams are connections. Its end and the end of its output are two things: what it wrote
/// before can be read after it, and what it has started may write on.
///
/// > Thread: On its shard only; a copy may go anywhere.
/// > Ownership: Whoever gets it sees to its end; when the shard ends before, the process is killed and
///   waited for. Where a scope will do, `Shard.withProcess` sees to that.
public struct Subprocess: Sendable {
    private let core: ProcessCore
    /// Its number; another process's, some time after it has ended.
    public let processID: Int32
    /// Writes to its standard input, where that is a pipe; `finish()` is the end of the input for it.
    public let standardInput: Connection?
    /// Reads its standard output, where that is a pipe.
    public let standardOutput: Connection?
    /// Reads its standard error, where that is a pipe.
    public let standardError: Connection?

    init(
        core: ProcessCore,
        processID: Int32,
        streams: (input: Connection?, output: Connection?, error: Connection?)
    ) {
        self.core = core
        self.processID = processID
        standardInput = streams.input
        standardOutput = streams.output
        standardError = streams.error
    }

    /// Waits until it has ended; any number of tasks may.
    ///
    /// - Parameter timeout: how long to wait at most; the process runs on after it.
    /// - Returns: how it ended.
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.wrongShard`, `.closed` when the shard has ended.
    public func untilExit(timeout: Duration? = nil) async throws(IOError) -> ProcessStatus {
        try await core.untilExit(timeout: timeout)
    }

    /// Sends it a signal, and where it has a group of its own to all in it.
    ///
    /// - Throws: `.closed` when it has ended, EINVAL for no signal, EPERM, `.wrongShard`.
    public func send(signal: Int32) throws(IOError) {
        try core.child(.signalProcess).send(signal: signal)
    }

    /// Asks it to end (SIGTERM), kills it when it has not within `grace`, and waits for its end.
    ///
    /// - Returns: how it ended.
    /// - Throws: as `untilExit`; the kill comes all the same.
    @discardableResult
    public func terminate(grace: Duration = .seconds(5)) async throws(IOError) -> ProcessStatus {
        try core.child(.signalProcess).terminate(grace: grace)
        return try await untilExit()
    }

    /// Kills it and waits for its end, whatever becomes of the calling task; streams that are left are
    /// aborted.
    func end() async {
        await core.killAndWait()
        for stream in [standardInput, standardOutput, standardError] { stream?.abort() }
    }
}

/// What stands between a process's end and the tasks that wait for it.
///
/// > Thread: On-loop only, but for what says otherwise.
final class ProcessCore: @unchecked Sendable {
    // Safety: every way in checks that it is on the loop's thread, or posts.
    private let shard: Shard
    private var process: SpawnedProcess?
    private var waiters = Registrations<Waiter>()
    private var status: ProcessStatus?
    /// Among the shard's.
    private var number: UInt64 = 0

    init(_ shard: Shard) {
        self.shard = shard
    }

    func start(
        _ command: ProcessCommand,
        _ handlers: ProcessHandlers
    ) throws(IOError) -> SpawnedProcess {
        let process = try shard.loop.spawn(command, handlers: handlers) { [self] in ended($0) }
        self.process = process
        number = shard.state.processes.add(self)
        return process
    }

    func kill() {
        process?.kill()
    }

    private func ended(_ status: ProcessStatus) {
        self.status = status
        shard.state.processes.remove(number)
        for waiter in waiters.inOrder { waiter.resume() }
    }

    /// The process, for a call on its shard.
    func child(_ operation: IOError.Operation) throws(IOError) -> SpawnedProcess {
        try shard.check(operation)
        guard let process else {
            preconditionFailure("a process is handed out after it was started")
        }
        return process
    }

    func untilExit(timeout: Duration?) async throws(IOError) -> ProcessStatus {
        try shard.check(.waitForProcess)
        if let status { return status }
        let waiter = Waiter(loop: shard.loop)
        waiter.begin(timeout: timeout, before: DeadlineScope.current)
        let outcome = await wait(waiter, isCancelledElsewhere: false)
        try shard.check(outcome, .waitForProcess)
        guard let status else { throw Runtime.ended(shard, .waitForProcess) }
        return status
    }

    /// Waits for the end; the wait has begun.
    private func wait(_ waiter: Waiter, isCancelledElsewhere: Bool) async -> Waiter.Outcome {
        let number = waiters.add(waiter)
        await waiter.end(isCancelledElsewhere: isCancelledElsewhere)
        shard.loop.perform { [self] in waiters.remove(number) }
        return waiter.finish()
    }

    /// Returns when it has ended, or when the shard has, which sees to it.
    func killAndWait() async {
        guard shard.isCurrent else { return shard.loop.perform { [self] in process?.kill() } }
        guard status == nil else { return }
        process?.kill()
        // Not for the deadline of the scope around it: the process's end comes after it, and soon.
        let waiter = Waiter(loop: shard.loop)
        waiter.begin()
        _ = await wait(waiter, isCancelledElsewhere: true)
    }
}
