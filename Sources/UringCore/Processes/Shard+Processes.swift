/// Processes that a shard starts.
extension Shard {
    /// Starts a process.
    ///
    /// > Ownership: As of `Subprocess`.
    ///
    /// - Parameters:
    ///   - command: what to run; its streams that are pipes become connections.
    ///   - options: how these behave.
    /// - Returns: the process, whose program has begun.
    /// - Throws: an error of `.spawn` that names the program: ENOENT, EACCES, ENOEXEC and others of
    ///   execve(2); `.invalidArgument`, EMFILE, EBADF, `.closed`, `.wrongShard`.
    public func spawn(
        _ command: ProcessCommand,
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> Subprocess {
        try check(.spawn)
        let core = ProcessCore(self)
        let streams = [command.standardInput, command.standardOutput, command.standardError].map {
            $0 == .pipe ? ConnectionCore(shard: self) : nil
        }
        var handlers = ProcessHandlers()
        (handlers.input, handlers.output, handlers.error) = (streams[0], streams[1], streams[2])
        handlers.options = options
        let child = try core.start(command, handlers)
        let connections = streams.map { $0.map { Connection(core: $0) } }
        return Subprocess(
            core: core,
            processID: child.processID,
            streams: (connections[0], connections[1], connections[2])
        )
    }

    /// Starts a process that ends with the scope: when `body` returns or throws, it is killed if it has
    /// not ended, its end is waited for, and its streams are closed.
    ///
    /// - Parameters:
    ///   - command: what to run.
    ///   - options: how its streams behave.
    ///   - body: uses the process.
    /// - Returns: what `body` returns.
    /// - Throws: as `spawn`, and what `body` throws.
    public func withProcess<Value>(
        _ command: ProcessCommand,
        options: StreamOptions = StreamOptions(),
        _ body: (Subprocess) async throws -> Value
    ) async throws -> Value {
        let process = try spawn(command, options: options)
        do {
            let value = try await body(process)
            await process.end()
            return value
        } catch {
            await process.end()
            throw error
        }
    }

    /// Runs a process to its end, and gives what it wrote.
    ///
    /// The command's input, output and error stream are pipes here, whatever it says of the latter two;
    /// its input is that of the command when `input` is empty. It has run to its end when the process
    /// has ended *and* both streams have: output that was written before the end is complete, also when
    /// the end is seen first. Input that the process does not take is no error.
    ///
    /// Whatever ends the call before, such as a limit, the timeout, the deadline of a scope around it or
    /// the task's cancellation: the process has ended when it throws.
    ///
    /// - Parameters:
    ///   - command: what to run. With a group of its own, what it has started ends with it, and from Linux
    ///     6.9 on also when the process has ended before.
    ///   - input: what it can read from its standard input.
    ///   - limits: how much it may write, and for how long it may run.
    /// - Returns: how it ended, and what it wrote.
    /// - Throws: as `spawn`; `.limitExceeded` for too much output, `.deadlineExceeded`, `.cancelled`,
    ///   and what reading its output threw.
    public func run(
        _ command: ProcessCommand,
        input: [UInt8] = [],
        limits: ProcessLimits = ProcessLimits()
    ) async throws(IOError) -> ProcessOutput {
        try check(.spawn)
        return try await ProcessRun(self, command, limits).result(input: input)
    }
}

/// What a process may take that `Shard.run` waits for.
///
/// > Thread: Any thread.
public struct ProcessLimits: Hashable, Sendable {
    /// Bytes of output, and as many of the error stream; one more ends the process.
    public var outputBytesMax = 16 << 20
    /// How long it may run; nil without an end.
    ///
    /// After it the process is asked to end (SIGTERM). What is left of a group whose process has ended is
    /// killed.
    public var timeout: Duration?
    /// How long it has to end after that, before it is killed.
    public var grace = Duration.seconds(5)

    /// The defaults.
    public init() {}
}

/// What a process left that has run to its end.
///
/// > Thread: Any thread.
public struct ProcessOutput: Hashable, Sendable {
    /// How it ended.
    public let status: ProcessStatus
    /// What it wrote to its standard output.
    public let output: [UInt8]
    /// What it wrote to its standard error.
    public let error: [UInt8]
}
