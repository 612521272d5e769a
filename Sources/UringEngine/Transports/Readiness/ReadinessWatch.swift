/// What somebody wants to be told of a descriptor.
///
/// > Thread: On-loop only.
package final class ReadinessInterest {
    let ready: () throws -> Void
    let failed: ((IOError) -> Void)?

    /// Wants `ready` called each time; `failed` once, when no more calls will come although nobody
    /// took this back.
    package init(ready: @escaping () throws -> Void, failed: ((IOError) -> Void)? = nil) {
        self.ready = ready
        self.failed = failed
    }
}

/// What is waited for on a descriptor of somebody else's.
///
/// > Thread: Any thread.
package enum Readiness: Hashable, Sendable {
    /// There is something to read, or the end, or an error.
    case readable
    /// There is room to write, or an error.
    case writable

    var events: PollEvents { self == .readable ? .readable : .writable }
}

/// Calls back while a descriptor of somebody else's is ready to be read or written.
///
/// Each poll is for one report, and the next one is asked for after the call: so the kernel looks
/// each time, whoever took only a part is called again, and a descriptor that is ready always makes
/// one completion a turn, however often it is woken. A poll that stays armed reports wakes instead;
/// it would take a look by poll(2) after each call, and fills the queue while nobody reads.
///
/// > Thread: On-loop only.
/// > Ownership: The descriptor stays its owner's. While it is watched the kernel holds its file: the
///   watch ends first, then comes close(2).
package final class ReadinessWatch: DescriptorOwner {
    /// One direction.
    private struct Side {
        var interest: ReadinessInterest?
        var token: OperationToken?
        /// The poll in flight is about what had this number before.
        var isStale = false
        /// A poll rests that the kernel had no memory for.
        var timer: TimerID?
    }

    /// How long a poll rests that the kernel had no memory for.
    private static let pauseNanoseconds: UInt64 = 10_000_000

    private let loop: EventLoop
    private let descriptor: Descriptor
    private var reading = Side()
    private var writing = Side()

    init(loop: EventLoop, descriptor: Descriptor) {
        self.loop = loop
        self.descriptor = descriptor
    }

    private subscript(readiness: Readiness) -> Side {
        get { readiness == .readable ? reading : writing }
        set {
            if readiness == .readable { reading = newValue } else { writing = newValue }
        }
    }

    func interest(in readiness: Readiness) -> ReadinessInterest? { self[readiness].interest }

    // MARK: Asking

    /// Takes the place of who asked before.
    func set(_ interest: ReadinessInterest, for readiness: Readiness) {
        self[readiness].interest = interest
        guard let token = self[readiness].token else { return arm(readiness) }
        // The number may lead to another file by now, of which the old poll knows nothing.
        cancel(token, readiness)
    }

    /// Nobody asks any more.
    func remove(_ readiness: Readiness) {
        self[readiness].interest = nil
        cancelTimer(readiness)
        if reading.interest == nil, writing.interest == nil { return letGo() }
        if let token = self[readiness].token { cancel(token, readiness) }
    }

    private func cancelTimer(_ readiness: Readiness) {
        if let timer = self[readiness].timer { loop.cancelTimer(timer) }
        self[readiness].timer = nil
    }

    private func cancel(_ token: OperationToken, _ readiness: Readiness) {
        guard !self[readiness].isStale else { return }
        self[readiness].isStale = true
        loop.cancel(token, on: slot)
    }

    /// The driver forgets the descriptor at once: it may be closed, and its number be another's, before
    /// the cancelled polls are reaped.
    private func letGo() {
        guard loop.readinessOwners[descriptor] === self else { return }
        loop.readinessOwners[descriptor] = nil
        loop.close(slot, mode: .wasLetGo)
        loop.driver.base.letGo(descriptor)
    }

    private var isOver: Bool { loop.readinessOwners[descriptor] !== self }

    private func arm(_ readiness: Readiness) {
        let side = self[readiness]
        guard side.interest != nil, side.token == nil, slot != .none, !isOver else { return }
        let token = loop.begin(.poll, on: slot)
        self[readiness].token = token
        loop.driver.base.poll(token, on: descriptor, events: readiness.events, isMultishot: false)
    }

    // MARK: The owner's part

    /// Calls back, then asks anew.
    package override func operationCompleted(_ completion: Completion) {
        guard completion.isOf(.poll), completion.isTerminal else { return }
        let readiness: Readiness = completion.token == reading.token ? .readable : .writable
        let isStale = self[readiness].isStale
        self[readiness].token = nil
        self[readiness].isStale = false
        guard !isOver, let interest = self[readiness].interest else { return }
        if !isStale, !take(completion, interest, readiness) { return }
        arm(readiness)
    }

    /// - Returns: whether the next poll may be asked for at once.
    private func take(
        _ completion: Completion,
        _ interest: ReadinessInterest,
        _ readiness: Readiness
    ) -> Bool {
        switch completion.errno {
        case nil:
            loop.run(interest.ready, origin: .readiness)
            return true
        case .some(.cancelled), .some(.again), .some(.interrupted):
            return true
        case .some(.noMemory), .some(.noBuffers):
            // Asking again at once would spin.
            let instant = loop.driver.base.now() &+ Self.pauseNanoseconds
            self[readiness].timer = loop.addTimer(
                at: instant,
                .closure { [weak self] in self?.arm(readiness) }
            )
            return false
        case .some(let errno):
            // EBADF: closed by its owner. It would come back at once, for ever.
            let error = IOError(.poll, descriptor: descriptor, errno: errno)
            remove(readiness)
            report(error, to: interest)
            return false
        }
    }

    private func report(_ error: IOError, to interest: ReadinessInterest) {
        guard let failed = interest.failed else {
            return loop.onCallbackError(CallbackFailure(error: error, origin: .readiness))
        }
        failed(error)
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] {
        [reading.token, writing.token].compactMap { $0 }
    }

    /// Ends; the descriptor stays open, and who waits is told.
    package override func endForShutdown() {
        let waiting = [reading.interest, writing.interest].compactMap { $0 }
        reading.interest = nil
        writing.interest = nil
        cancelTimer(.readable)
        cancelTimer(.writable)
        letGo()
        for interest in waiting {
            interest.failed?(IOError(.poll, descriptor: descriptor, reason: .closed))
        }
    }
}
