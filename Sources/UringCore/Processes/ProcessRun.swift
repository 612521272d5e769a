internal import Glibc

/// One process that is run to its end, its streams served by plain callbacks.
///
/// > Thread: On-loop only, but for what says otherwise.
final class ProcessRun: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let shard: Shard
    private let command: ProcessCommand
    private let limits: ProcessLimits
    private let waiter: Waiter
    private let output: OutputCollector
    private let error: OutputCollector
    private var process: SpawnedProcess?
    private var status: ProcessStatus?
    private var failure: IOError?
    private var timer: TimerHandle?

    init(_ shard: Shard, _ command: ProcessCommand, _ limits: ProcessLimits) {
        self.shard = shard
        self.command = command
        self.limits = limits
        waiter = Waiter(loop: shard.loop)
        output = OutputCollector("output", bytesMax: limits.outputBytesMax)
        error = OutputCollector("error output", bytesMax: limits.outputBytesMax)
    }

    /// Runs it.
    func result(input: [UInt8]) async throws(IOError) -> ProcessOutput {
        defer { shard.loop.perform { [self] in letGo() } }
        try start(input)
        while !isOver {
            // One that has failed waits for the process's end, however late that is.
            waiter.begin(timeout: nil, before: failure == nil ? DeadlineScope.current : nil)
            await waiter.end(isCancelledElsewhere: failure != nil)
            let outcome = waiter.finish()
            // Elsewhere than on the shard nothing here may be looked at any more.
            if outcome == .elsewhere || outcome == .ended { try leave(outcome) }
            if outcome == .cancelled { fail(IOError(.waitForProcess, reason: .cancelled)) }
            if outcome == .deadlineExceeded { fail(late("its scope's deadline")) }
        }
        if let failure { throw failure }
        return ProcessOutput(
            status: status ?? .unknown,
            output: output.bytes,
            error: error.bytes
        )
    }

    private func leave(_ outcome: Waiter.Outcome) throws(IOError) -> Never {
        shard.loop.perform { [self] in process?.kill() }
        try shard.check(outcome, .waitForProcess)
        preconditionFailure("a wait that did not end well is an error")
    }

    private func start(_ input: [UInt8]) throws(IOError) {
        var command = command
        command.standardOutput = .pipe
        command.standardError = .pipe
        if !input.isEmpty { command.standardInput = .pipe }
        for collector in [output, error] { collector.whenChanged = { [self] in changed($0) } }
        var handlers = ProcessHandlers()
        handlers.input = InputFeeder(input)
        handlers.output = output
        handlers.error = error
        // A process takes its input when it likes; the run's own timeout bounds that.
        handlers.options.flushTimeout = .seconds(1 << 31)
        handlers.options.closeTimeout = .seconds(1 << 31)
        process = try shard.loop.spawn(command, handlers: handlers) { [self] in ended($0) }
        guard let timeout = limits.timeout else { return }
        timer = shard.loop.callLater(timeout) { [self] in timedOut(timeout) }
    }

    // MARK: What happens

    private func ended(_ status: ProcessStatus) {
        self.status = status
        // What is left writes for nobody who waits; and input that is left has no reader, or none that
        // counts.
        if failure != nil { endRest() }
        process?.standardInput?.abort()
        resumeIfOver()
    }

    private func changed(_ error: IOError?) {
        if let error { fail(error) }
        resumeIfOver()
    }

    private func timedOut(_ timeout: Duration) {
        timer = nil
        fail(late("\(timeout)"))
    }

    private func late(_ limit: String) -> IOError {
        IOError(
            .waitForProcess,
            reason: .deadlineExceeded,
            detail: "\(command.program) had not ended after \(limit)"
        )
    }

    /// The first reason counts; the process ends, and then the call.
    private func fail(_ error: IOError) {
        guard failure == nil else { return }
        failure = error
        guard status == nil else {
            endRest()
            return resumeIfOver()
        }
        if error.reason == .deadlineExceeded {
            process?.terminate(grace: limits.grace)
        } else {
            process?.kill()
        }
    }

    /// The process has ended, and what it started may write on.
    private func endRest() {
        process?.killRest()
        for stream in [process?.standardOutput, process?.standardError] { stream?.abort() }
    }

    private var isOver: Bool { status != nil && output.hasEnded && error.hasEnded }

    private func resumeIfOver() {
        if isOver { waiter.resume() }
    }

    /// The callbacks lead here: kept, the two would keep each other.
    private func letGo() {
        timer?.cancel()
        timer = nil
        for collector in [output, error] { collector.whenChanged = { _ in } }
        process = nil
    }
}

/// Gathers what a process writes.
///
/// > Thread: On-loop only.
private final class OutputCollector: StreamHandler {
    private let name: String
    private let bytesMax: Int
    private(set) var bytes: [UInt8] = []
    private(set) var hasEnded = false
    var whenChanged: (IOError?) -> Void = { _ in }

    init(_ name: String, bytesMax: Int) {
        self.name = name
        self.bytesMax = max(0, bytesMax)
    }

    func dataReceived(_ received: consuming ReceivedBytes, on transport: StreamTransport) {
        guard received.byteCount <= bytesMax - bytes.count else {
            let limit = IOError(
                .receive,
                reason: .limitExceeded,
                detail: "the process wrote more than \(bytesMax) bytes of \(name)"
            )
            transport.abort()
            return whenChanged(limit)
        }
        bytes += received.copyToArray()
    }

    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        hasEnded = true
        whenChanged(error)
    }

    /// The process is under way.
    func drainStarted(on transport: StreamTransport) {}
}

/// Writes a process's input, and ends it.
///
/// > Thread: On-loop only.
private final class InputFeeder: StreamHandler {
    private var input: [UInt8]

    init(_ input: [UInt8]) {
        self.input = input
    }

    func connectionMade(_ transport: StreamTransport) {
        transport.write(input)
        input = []
        transport.close()
    }

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        _ = consume bytes
    }

    /// The process is under way.
    func drainStarted(on transport: StreamTransport) {}
}
