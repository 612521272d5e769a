internal import DequeModule

/// An open file: reads and writes at offsets, so many of them at once as
/// `LoopLimits.operationsPerFileMax` says; what is asked beyond waits its turn.
///
/// Completions come in any order. Who needs an order waits for one call before the next.
///
/// > Thread: On-loop only; what changes something checks that.
/// > Ownership: The loop keeps it until `close` has ended, or the loop ends.
public final class OpenFile: DescriptorOwner, FileCallCarrier {
    // Safety: exclusivity is unchecked for what the loop's thread alone touches and never lends out
    // while it calls something else (docs/decisions/0003).

    /// The loop it lives on.
    public let loop: EventLoop
    /// Where it was found; the name may be another's by now.
    public let path: Path
    /// How it was opened.
    public let options: FileOptions
    /// What transfers of a direct file are multiples of; nil for any other.
    public internal(set) var directAlignment: DirectAlignment?
    let target: FileTarget
    /// Calls with an operation in flight, or in a pause.
    @safe @exclusivity(unchecked) private var active: [FileCall] = []
    @safe @exclusivity(unchecked) private var waiting: Deque<FileCall> = []
    @safe @exclusivity(unchecked) private var closing: FileCall?
    @safe @exclusivity(unchecked) private var condition = Condition.open

    /// Where it is in its life.
    private enum Condition {
        /// Calls may begin.
        case open
        /// `close` was called; what was asked before is still done.
        case finishing
        /// close(2) is in flight, or the loop ends.
        case ending
    }

    init(loop: EventLoop, _ descriptor: Descriptor, _ call: OpenCall) {
        self.loop = loop
        self.path = call.path
        self.options = call.options
        let place = loop.options.registersFiles ? loop.driver.base.register(descriptor) : nil
        self.target = FileTarget(descriptor, place: place)
    }

    /// Nothing more can be asked of it.
    public var isClosing: Bool { condition != .open }

    // MARK: Calls

    /// Begins a call, at once or when it is its turn.
    ///
    /// A closed file's fails with `.closed`.
    package func begin(_ call: FileCall) {
        loop.checkOnLoop()
        guard condition == .open, !loop.isShutDown else {
            call.fail(.closed)
            return loop.endSoon(call)
        }
        call.carrier = self
        if active.count < loop.options.limits.operationsPerFileMax {
            start(call)
        } else {
            waiting.append(call)
        }
    }

    private func start(_ call: FileCall) {
        call.position = active.count
        active.append(call)
        loop.begin(call, on: target, slot)
    }

    /// Takes in what one of its operations reports.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        guard let (call, step) = loop.advance(completion, on: target, slot) else { return }
        if call === closing { return closed(completion) }
        if step == .later { loop.resume(call, on: target, slot) } else { finish(call) }
    }

    /// A call has ended: the next one's turn, and who asked is told.
    private func finish(_ call: FileCall) {
        let last = active.count - 1
        if call.position < last {
            active[call.position] = active[last]
            active[call.position].position = call.position
        }
        active.removeLast()
        if let next = waiting.popFirst() { start(next) }
        call.end()
        closeWhenDone()
    }

    /// Ends a call that waits or pauses; the kernel is asked to end one in flight.
    func cancel(_ call: FileCall) {
        guard !call.isOver else { return }
        call.isCancelled = true
        if let token = call.token { return loop.cancel(token, on: slot) }
        call.fail(.cancelled)
        if loop.endPause(of: call) {
            finish(call)
        } else {
            waiting.removeAll { $0 === call }
            call.end()
        }
    }

    // MARK: The end

    /// Closes the file when everything that was asked before is done.
    ///
    /// Closing twice is fine: both completions are called.
    ///
    /// - Parameter completion: told why close(2) failed, which may be the only news of a write that
    ///   did not reach the device; the file is closed all the same.
    public func close(_ completion: @escaping (Result<Void, IOError>) -> Void = { _ in }) {
        loop.checkOnLoop()
        let call = closing ?? makeCloseCall()
        closing = call
        if call.isOver {
            guard !loop.isShutDown else { return completion(call.outcome) }
            return loop.callSoon { completion(call.outcome) }
        }
        let earlier = call.onEnd
        call.onEnd = {
            earlier?()
            completion(call.outcome)
        }
        guard condition == .open else { return }
        condition = .finishing
        closeWhenDone()
    }

    private func makeCloseCall() -> FileCall {
        PlainFileCall(.closeFile, path, isMadeOnce: true) { .close($0.descriptor) }
    }

    /// The table lets go of the slot next; a close that was ended half-way has closed nothing.
    private func closed(_ completion: Completion) {
        if completion.errno == .cancelled { loop.driver.base.close(target.descriptor) }
    }

    private func closeWhenDone() {
        guard condition == .finishing, active.isEmpty, waiting.isEmpty, let closing else { return }
        condition = .ending
        if let place = target.place { loop.driver.base.unregister(place) }
        // From here on the number is the kernel's, and may be another's before this loop hears of the close:
        // nobody closes it a second time, or ends what that other began with it.
        loop.driver.base.letGo(target.descriptor)
        loop.begin(closing, on: target, slot)
        loop.close(slot, mode: .wasLetGo)
    }

    /// What may still be in flight, but for the close, which is not ended half-way.
    package override var operationTokens: [OperationToken] { active.compactMap(\.token) }

    /// The descriptor is gone.
    package override func descriptorClosed() {
        condition = .ending
        closing?.end()
    }

    /// Ends everything that is under way, then closes.
    package override func endForShutdown() {
        guard condition != .ending else { return }
        condition = .ending
        let calls = active + waiting
        waiting.removeAll()
        for call in calls { call.isCancelled = true }
        loop.close(slot, mode: .orderly)
        for call in calls where call.token == nil {
            call.fail(.cancelled)
            if loop.endPause(of: call) { finish(call) } else { call.end() }
        }
    }
}

extension EventLoop {
    /// Tells who asked in this tick or the next: never before it has returned from asking.
    func endSoon(_ call: FileCall) {
        guard !isShutDown else { return call.end() }
        ready.append(.closure { call.end() })
    }

    /// Closes every file that is open: whoever opened them has ended.
    package func closeFiles() {
        descriptors.visitAll { (descriptors[$0].owner as? OpenFile)?.close() }
    }
}
