/// Takes connections from one listening socket.
///
/// > Thread: On-loop only.
/// > Ownership: The loop keeps it until its socket is closed.
public final class StreamListener: DescriptorOwner {
    /// The shortest and the longest pause after an accept that failed for want of something.
    private static let backoffNanoseconds: ClosedRange<UInt64> = 10_000_000...1_000_000_000

    /// How long accepting must work before a failure counts as the first again.
    private static let calmNanoseconds: UInt64 = 2_000_000_000
    /// How long nothing is logged after a failure was.
    private static let silenceNanoseconds: UInt64 = 60_000_000_000
    /// How often it looks for a place that came free elsewhere: no loop is told of another's.
    private static let lookAgainNanoseconds: UInt64 = 100_000_000

    /// The loop it lives on.
    public let loop: EventLoop
    /// Where it listens; port 0 is resolved.
    public let address: SocketAddress
    private let descriptor: Descriptor
    private let file: UnixSocketFile?
    private let endMode: CloseMode
    private let isFullElsewhere: (() -> Bool)?
    private let take: (Descriptor) throws -> Void
    private var acceptToken: OperationToken?
    private var isAcceptCancelled = false
    private var isClosing = false
    private var isPaused = false
    private var backoff = StreamListener.backoffNanoseconds.lowerBound
    private var lastFailure: UInt64?
    private var lastTold: UInt64?
    private var backoffTimer: TimerID?
    private var closedActions: [() -> Void] = []

    init(
        loop: EventLoop,
        socket: ListeningSocket,
        endMode: CloseMode,
        isFull: (() -> Bool)?,
        take: @escaping (Descriptor) throws -> Void
    ) {
        self.loop = loop
        self.descriptor = socket.descriptor
        self.address = socket.address
        self.file = endMode == .letGo ? nil : socket.file
        self.endMode = endMode
        self.isFullElsewhere = isFull
        self.take = take
    }

    /// Stops accepting; the socket is closed when nothing is in flight on it, and clients are
    /// refused from then on.
    ///
    /// Connections that were accepted live on. The file of a Unix socket is removed at once, if it
    /// is still the one that the listener made.
    ///
    /// - Parameter whenClosed: called on the loop when the socket is closed.
    public func close(whenClosed: (() -> Void)? = nil) {
        loop.checkOnLoop()
        if let whenClosed {
            guard slot != .none || !isClosing else { return loop.callSoon(whenClosed) }
            closedActions.append(whenClosed)
        }
        guard !isClosing else { return }
        isClosing = true
        if let backoffTimer { loop.cancelTimer(backoffTimer) }
        backoffTimer = nil
        // Now: while the socket is open, no other file can have its file's numbers.
        if let failure = file?.remove(through: loop.driver.base) {
            loop.options.log("the file of \(address) stays: \(failure)")
        }
        loop.close(slot, mode: endMode)
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { acceptToken.map { [$0] } ?? [] }

    /// Calls whoever waits for the close.
    package override func descriptorClosed() {
        loop.pausedAcceptors.removeAll { $0 === self }
        let actions = closedActions
        closedActions = []
        // Also while the loop ends, when `callSoon` takes nothing any more.
        for action in actions { loop.ready.append(.closure(action)) }
    }

    /// Stops accepting.
    package override func drain() {
        close()
    }

    /// Stops accepting.
    package override func endForShutdown() {
        close()
    }

    // MARK: Accepting

    func arm() {
        guard acceptToken == nil, !isClosing, !isPaused, slot != .none else { return }
        guard !isFull else { return pause() }
        let token = loop.begin(.accept, on: slot)
        acceptToken = token
        // Under a limit one at a time: a multishot accept hands over the whole backlog before its cancel
        // counts.
        let isLimited = loop.options.limits.connectionsMax > 0 || isFullElsewhere != nil
        loop.driver.base.accept(token, on: descriptor, isMultishot: !isLimited)
    }

    /// Takes a connection in, or decides when to accept again.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        precondition(completion.isOf(.accept), "a listener accepts")
        if completion.isTerminal {
            acceptToken = nil
            isAcceptCancelled = false
        }
        if let errno = completion.errno {
            failed(errno)
        } else {
            accepted(Descriptor(rawValue: completion.result))
        }
        if completion.isTerminal { arm() }
    }

    private func accepted(_ descriptor: Descriptor) {
        // An accept that won against its cancel: nobody will serve it, unless the socket is somebody
        // else's.
        guard !isClosing || endMode == .letGo else { return loop.driver.base.close(descriptor) }
        do {
            try take(descriptor)
        } catch {
            loop.onCallbackError(CallbackFailure(error: error, origin: .handlerFactory))
            loop.driver.base.close(descriptor)
        }
        // At the limit nothing more is accepted; accepting to close again would only burn the peer.
        if isFull { cancelAccept() }
    }

    private func cancelAccept() {
        guard let acceptToken, !isAcceptCancelled, !isClosing else { return }
        isAcceptCancelled = true
        loop.cancel(acceptToken, on: slot)
    }

    private var isFull: Bool {
        if let isFullElsewhere { return isFullElsewhere() }
        let limit = loop.options.limits.connectionsMax
        return limit > 0 && loop.openConnections >= limit
    }

    private func failed(_ errno: Errno) {
        switch errno {
        case .cancelled, .connectionAborted, .again, .interrupted:
            // Closed or full, or that one peer is gone (accept(2)): the listener is fine, and `arm`
            // decides.
            break
        default:
            // EMFILE, ENFILE, ENOMEM: accepting again at once would spin, the kernel says so even
            // when nobody waits. So would EINVAL, after somebody shut the socket down. EPROTO,
            // ENETDOWN, …: one peer, and not worth a list.
            if !isClosing, !isPaused { backOff(errno) }
        }
    }

    /// Pauses, longer each time that it follows closely on the last.
    ///
    /// One success says little: at the limit each descriptor that comes free takes one connection in
    /// before the next failure.
    private func backOff(_ errno: Errno) {
        let now = loop.driver.base.now()
        isPaused = true
        loop.counters.acceptBackoffs &+= 1
        if now >= (lastFailure ?? 0) &+ Self.calmNanoseconds || lastFailure == nil {
            backoff = Self.backoffNanoseconds.lowerBound
        }
        lastFailure = now
        tell(errno, now: now)
        loop.pausedAcceptors.append(self)
        lookAgain(at: now &+ backoff)
        backoff = min(backoff * 2, Self.backoffNanoseconds.upperBound)
    }

    /// Logs at most once a minute: a peer can bring the failure about as often as it likes.
    private func tell(_ errno: Errno, now: UInt64) {
        if let lastTold, now < lastTold &+ Self.silenceNanoseconds { return }
        lastTold = now
        loop.options.log("accept on \(address) pauses: \(errno)")
    }

    private func pause() {
        isPaused = true
        loop.pausedAcceptors.append(self)
        guard isFullElsewhere != nil else { return }
        lookAgain(at: loop.driver.base.now() &+ Self.lookAgainNanoseconds)
    }

    private func lookAgain(at instant: UInt64) {
        let job = Job.closure { [weak self] in self?.placeFree() }
        backoffTimer = loop.addTimer(at: instant, job)
    }

    /// A descriptor or a place is free, or the pause is over.
    package override func placeFree() {
        guard isPaused, !isClosing else { return }
        isPaused = false
        loop.pausedAcceptors.removeAll { $0 === self }
        if let backoffTimer { loop.cancelTimer(backoffTimer) }
        backoffTimer = nil
        arm()
    }
}

extension EventLoop {
    /// Takes in a connected stream and starts it.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The descriptor is the stream's from here on.
    @discardableResult
    package func adopt(
        _ descriptor: Descriptor,
        kind: StreamKind,
        options: StreamOptions,
        handler: any StreamHandler
    ) -> StreamTransport {
        let transport = StreamTransport(
            loop: self,
            descriptor: descriptor,
            kind: kind,
            options: options,
            handler: handler
        )
        _ = descriptors.adopt(descriptor, owner: transport)
        transport.start()
        return transport
    }
}
