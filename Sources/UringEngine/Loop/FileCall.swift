/// One thing asked of a file or a path, with the memory that the kernel uses for it.
///
/// It may take several operations: a short write goes on, an interrupted call is made again. The
/// loop keeps it until its last operation's terminal completion, whatever becomes of who asked.
///
/// > Thread: On-loop only.
/// > Ownership: It owns all memory that its requests point to.
public class FileCall {
    // Safety: exclusivity is unchecked for what the loop's thread alone touches, several times an
    // operation, and never lends out (docs/decisions/0003).

    /// What becomes of a call after a result.
    package enum Step: Sendable {
        /// It has ended.
        case over
        /// The next operation begins at once.
        case again
        /// The next operation begins after a pause: the kernel, or the offload, has no room now.
        case later
    }

    /// The verb that its errors name.
    package final let operation: IOError.Operation
    /// What a person needs beside the reason: the path.
    package final let path: Path
    /// Its operation in flight.
    @safe @exclusivity(unchecked) package final var token: OperationToken?
    /// It has ended, and its result may be looked at.
    @safe @exclusivity(unchecked) package final private(set) var isOver = false
    /// Why it did not do what was asked.
    package final var failure: IOError?
    /// Nobody wants it any more: it is not begun again.
    @safe @exclusivity(unchecked) package final var isCancelled = false
    /// The kernel, or another thread, may still use its memory when it has ended.
    final var keepsMemory = false
    /// The loop has nobody who would carry it out.
    package final var lacksOffload = false
    /// Called once, when it has ended.
    @safe @exclusivity(unchecked) package final var onEnd: (() -> Void)?
    /// Whoever carries it out; nil when that is over.
    @safe @exclusivity(unchecked) final var carrier: (any FileCallCarrier)?
    /// Where its file keeps it.
    @safe @exclusivity(unchecked) final var position = 0
    /// It waits before its next operation.
    final var pause: TimerID?
    /// Whatever comes of its operation, that is not done again: a close that says EINTR has closed.
    private let isMadeOnce: Bool
    private var pauseNanoseconds = FileCall.pauses.lowerBound

    /// The shortest and the longest pause.
    private static let pauses: ClosedRange<UInt64> = 1_000_000...64_000_000

    /// Describes a call on `path`.
    package init(_ operation: IOError.Operation, _ path: Path, isMadeOnce: Bool = false) {
        self.operation = operation
        self.path = path
        self.isMadeOnce = isMadeOnce
    }

    /// The request for its next operation; `target` is the open file, where there is one.
    package func request(on target: FileTarget) -> FileRequest {
        preconditionFailure("each call says what it asks")
    }

    /// Takes in a result of zero or more.
    package func taken(_ result: Int) -> Step { .over }

    /// What an error says beside the reason.
    package var detail: String { "\(path)" }

    /// Takes in the result of its operation.
    package final func completed(_ result: Int32) -> Step {
        guard result < 0 else {
            let step = taken(Int(result))
            guard isCancelled, step != .over else { return step }
            return fail(.cancelled)
        }
        switch Errno(result: result) {
        case .interrupted where isMadeOnce: return .over
        case .interrupted where !isCancelled: return .again
        case .again where !isCancelled && !isMadeOnce: return .later
        case .interrupted, .again, .cancelled: return fail(.cancelled)
        case let errno: return fail(.errno(errno))
        }
    }

    /// Notes why it fails.
    @discardableResult
    package final func fail(_ reason: IOError.Reason) -> Step {
        let hint =
            lacksOffload
            ? ": this kernel's rings have no such operation, and the loop has no `offload`" : ""
        failure = IOError(operation, reason: reason, detail: detail + hint)
        return .over
    }

    /// How long the next pause lasts, in nanoseconds: twice the last, to a limit.
    package final func nextPause() -> UInt64 {
        defer { pauseNanoseconds = min(pauseNanoseconds * 2, Self.pauses.upperBound) }
        return pauseNanoseconds
    }

    /// Tells who asked.
    package final func end() {
        guard !isOver else { return }
        isOver = true
        carrier = nil
        if !keepsMemory { endUse() }
        let told = onEnd
        onEnd = nil
        told?()
    }

    /// The kernel is done: what nobody will take goes back.
    package func endUse() {}
}

/// Who carries out calls: an open file, or an operation on a path.
///
/// > Thread: On-loop only.
protocol FileCallCarrier: AnyObject {
    /// Ends a call: at once when it waits, else by its operation's completion.
    func cancel(_ call: FileCall)
}

extension FileCall {
    /// What came of a call that has nothing to hand over.
    package var outcome: Result<Void, IOError> {
        if let failure { .failure(failure) } else { .success(()) }
    }

    /// Asks for its end: it ends with `.cancelled`, or as if nothing had been asked when it was done
    /// already.
    ///
    /// > Thread: On-loop only.
    public func cancel() {
        carrier?.cancel(self)
    }
}
