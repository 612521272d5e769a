internal import CUring
internal import Glibc

/// Who is told of a child's piped streams; a stream without a handler drops what comes.
///
/// > Thread: On-loop only.
public struct ProcessHandlers {
    /// Writes to the child's standard input.
    public var input: (any StreamHandler)?
    /// Gets its standard output.
    public var output: (any StreamHandler)?
    /// Gets its standard error.
    public var error: (any StreamHandler)?
    /// How the streams behave.
    public var options = StreamOptions()

    /// Nobody is told.
    public init() {}
}

/// A process that this loop started, until its end was seen.
///
/// The end comes by a descriptor of the process, which the loop polls, and is looked up by the same
/// (waitid(2), P_PIDFD, Linux 5.4): no number can be another process's by then, no SIGCHLD is needed,
/// and no zombie stays. The end of the process is not that of its output: what it wrote lies in the
/// pipes and is delivered, and what it has started may write on.
///
/// > Thread: On-loop only.
/// > Ownership: The loop keeps it until the process has ended. When the loop is shut down before, the
///   process is killed and waited for.
public final class SpawnedProcess: DescriptorOwner {
    /// How long a poll rests that failed.
    private static let pauseNanoseconds: UInt64 = 10_000_000

    /// The loop that started it.
    public let loop: EventLoop
    /// Its number; another process's, some time after `status` is there.
    public let processID: Int32
    /// How it ended; nil while it runs.
    public private(set) var status: ProcessStatus?
    /// The stream to its standard input, where that is a pipe.
    public internal(set) var standardInput: StreamTransport?
    /// The stream from its standard output, where that is a pipe.
    public internal(set) var standardOutput: StreamTransport?
    /// The stream from its standard error, where that is a pipe.
    public internal(set) var standardError: StreamTransport?
    let descriptorOfProcess: Descriptor
    private let hasOwnGroup: Bool
    private var whenEnded: ((ProcessStatus) -> Void)?
    private var token: OperationToken?
    private var isKilled = false
    private var graceTimer: TimerID?
    /// When the process is killed.
    private var graceEnd: Deadline?
    private var pollTimer: TimerID?
    /// Names the group when its leader has ended; its number may be another's by then.
    private var descriptorOfGroup: Int32?

    init(
        loop: EventLoop,
        processID: Int32,
        descriptor: Descriptor,
        hasOwnGroup: Bool,
        whenEnded: @escaping (ProcessStatus) -> Void
    ) {
        self.loop = loop
        self.processID = processID
        self.descriptorOfProcess = descriptor
        self.hasOwnGroup = hasOwnGroup
        self.whenEnded = whenEnded
    }

    deinit {
        if let descriptorOfGroup { _ = cu_close(descriptorOfGroup) }
    }

    // MARK: Signals

    /// Sends a signal to the process, and where it has a group of its own to all in it.
    ///
    /// - Throws: an error of `.signalProcess`: `.closed` when the process has ended, EINVAL for no signal,
    ///   EPERM when it runs as somebody else by now.
    public func send(signal: Int32) throws(IOError) {
        loop.checkOnLoop()
        guard status == nil else {
            throw IOError(
                .signalProcess,
                reason: .closed,
                detail: "process \(processID) has ended"
            )
        }
        // Nobody has waited for it, so its number and its group's are its own.
        let result =
            hasOwnGroup
            ? (kill(-processID, signal) == 0 ? 0 : -errno)
            : cu_signal_process(descriptorOfProcess.rawValue, signal)
        switch result < 0 ? Errno(result: result) : nil {
        case nil, .some(Errno(rawValue: ESRCH)):
            // It has ended, which is about to be seen.
            return
        case .some(let errno):
            throw IOError(
                .signalProcess,
                errno: errno,
                detail: "signal \(signal) to process \(processID)"
            )
        }
    }

    /// Asks the process to end, and kills it when it has not within `grace`.
    ///
    /// One that has ended is left alone. Asked again, it has the shorter of both times.
    public func terminate(grace: Duration = .seconds(5)) {
        loop.checkOnLoop()
        guard status == nil else { return }
        let end = Deadline.after(grace)
        if let graceEnd, graceEnd <= end { return }
        if let graceTimer { loop.cancelTimer(graceTimer) } else { try? send(signal: SIGTERM) }
        graceEnd = end
        graceTimer = loop.addTimer(after: grace, .closure { [weak self] in self?.kill() })
    }

    /// Kills the process; one that has ended is left alone.
    public func kill() {
        loop.checkOnLoop()
        guard status == nil else { return }
        isKilled = true
        // What is not permitted leaves it running: its owner's doing.
        try? send(signal: SIGKILL)
    }

    /// Kills what is left of the group of a process that has ended, where it had one of its own.
    ///
    /// Before Linux 6.9 nothing is done: no call names the group without its number.
    package func killRest() {
        loop.checkOnLoop()
        // ESRCH: nobody is left.
        if let descriptorOfGroup { _ = cu_signal_group(descriptorOfGroup, SIGKILL) }
    }

    private func kill(_ process: Int32, _ signal: Int32) -> Int32 {
        Glibc.kill(process, signal)
    }

    // MARK: Its end

    func watch() {
        guard token == nil, slot != .none, status == nil else { return }
        let token = loop.begin(.poll, on: slot)
        self.token = token
        loop.driver.base.poll(token, on: descriptorOfProcess, events: .readable, isMultishot: false)
    }

    /// Looks whether it has ended, and polls again when not.
    package override func operationCompleted(_ completion: Completion) {
        guard completion.isOf(.poll) else { return }
        token = nil
        guard status == nil else { return }
        if let status = lookForEnd() { return end(status) }
        // Whatever kept the poll from telling, the end must not pass unseen.
        guard let errno = completion.errno, errno != .cancelled else { return watch() }
        let instant = loop.driver.base.now() &+ Self.pauseNanoseconds
        pollTimer = loop.addTimer(at: instant, .closure { [weak self] in self?.watch() })
    }

    /// It ended before it could be watched, and the kernel kept nothing of it.
    func endUnseen() {
        loop.callSoon { self.end(.unknown) }
    }

    private func lookForEnd() -> ProcessStatus? {
        var (code, value): (Int32, Int32) = (0, 0)
        // Safety: both numbers are written during the call.
        let result = unsafe cu_reap_process(descriptorOfProcess.rawValue, &code, &value)
        switch result {
        case 0, -EINTR: return nil
        case 1: return code == CLD_EXITED ? .exited(value) : .signalled(value)
        default:
            // ECHILD: SIGCHLD is ignored, or somebody else has waited for it.
            return .unknown
        }
    }

    private func end(_ status: ProcessStatus) {
        self.status = status
        for timer in [graceTimer, pollTimer] {
            if let timer { loop.cancelTimer(timer) }
        }
        graceTimer = nil
        pollTimer = nil
        if hasOwnGroup {
            let copy = cu_duplicate(descriptorOfProcess.rawValue, 3)
            if copy >= 0 { descriptorOfGroup = copy }
        }
        if slot != .none { loop.close(slot, mode: .orderly) }
        let action = whenEnded.take()
        action?(status)
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { token.map { [$0] } ?? [] }

    /// Kills it; its end is waited for as any other.
    package override func endForShutdown() {
        if !isKilled { kill() }
        // A pause may be under way that the loop has no time for.
        watch()
    }
}
