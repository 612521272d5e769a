internal import DequeModule

/// One connected stream: its writes queue here, its reads go to its handler.
///
/// > Thread: On-loop only; what changes something checks that.
/// > Ownership: The loop keeps it until its descriptor is closed; the handler is let go with
/// > `connectionLost`.
@safe public final class StreamTransport: DescriptorOwner {
    /// The loop it lives on.
    public let loop: EventLoop
    let descriptor: Descriptor
    let kind: StreamKind
    let options: StreamOptions
    @safe @exclusivity(unchecked) var condition = StreamCondition()
    /// What ended the stream before its time; `connectionLost` is told when everything was reaped.
    package internal(set) var lossError: IOError?
    // Safety: retained in init, given back once, by `letGoOfHandler`.
    @safe @exclusivity(unchecked) var binding: Unmanaged<HandlerBinding>?

    // Input.
    @safe @exclusivity(unchecked) var receiveToken: OperationToken?
    var isReceiveCancelled = false
    @safe @exclusivity(unchecked) var hasSeenEOF = false
    var hasDeliveredEOF = false
    @safe @exclusivity(unchecked) var parked = UniqueDeque<ReceivedBytes>()
    @safe @exclusivity(unchecked) var parkedBytes = 0
    /// Somebody comes for what is parked, also after a failure.
    var isReadByHand = false

    // Output.
    @safe @exclusivity(unchecked) var sendToken: OperationToken?
    @safe @exclusivity(unchecked) var writes = WriteQueue()
    var isOutputShut = false
    /// A send of as many bytes is made without a copy; `.max` for none.
    @safe @exclusivity(unchecked) var zeroCopyBytesMin: Int
    /// What the kernel still reads; nil until something was sent without a copy.
    var sentBlocks: SentBlocks?
    /// The result of a send without a copy whose bytes the kernel still reads, and that must go on after it.
    var sentResult: Int32?
    @safe @exclusivity(unchecked) var writeHighWatermark: Int
    @safe @exclusivity(unchecked) var writeLowWatermark: Int
    var progress: OutputProgress?
    var progressTimer: TimerID?
    var deadlineTimer: TimerID?
    var retryTimer: TimerID?
    /// What made the open file description of a pipe non-blocking, and has to be taken back.
    var borrowed: Descriptor?
    /// Reads of it may be multishot.
    var isPipe = false

    init(
        loop: EventLoop,
        descriptor: Descriptor,
        kind: StreamKind,
        options: StreamOptions,
        handler: any StreamHandler
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.kind = kind
        self.options = options
        self.binding = unsafe .passRetained(HandlerBinding(handler))
        self.zeroCopyBytesMin = kind == .tcp ? loop.zeroCopyBytesMin : .max
        // As `setWriteBufferLimits` asks; options cannot throw.
        self.writeLowWatermark = max(0, options.writeLowWatermark)
        self.writeHighWatermark = max(max(0, options.writeLowWatermark), options.writeHighWatermark)
    }

    /// The descriptor entered the table: tell the handler, and start to receive.
    func start() {
        if kind != .pipe {
            loop.openConnections += 1
            loop.counters.connections &+= 1
        }
        callHandler { try $0.connectionMade(self) }
        armReceive(waitForReadiness: false)
    }

    // MARK: Facts

    /// `close` or `abort` was called, or the connection failed.
    public var isClosing: Bool {
        switch phase {
        case .open: false
        case .flushing, .ending, .lost: true
        }
    }

    /// Bytes that wait to be sent.
    public var writeBufferBytes: Int { writes.byteCount }

    /// What the bytes that wait to be sent pin; the watermarks look at this.
    public var writeBufferPinnedBytes: Int { writes.pinnedBytes }

    /// The stream's own address.
    ///
    /// - Throws: `.closed` after the end, ENOTCONN and others of getsockname(2).
    public func localAddress() throws(IOError) -> SocketAddress {
        try loop.driver.base.localAddress(of: openDescriptor(for: .readAddress))
    }

    /// The peer's address; that of a Unix client is `.unix([])`, unless it bound its socket.
    ///
    /// - Throws: `.closed` after the end, ENOTCONN and others of getpeername(2).
    public func peerAddress() throws(IOError) -> SocketAddress {
        try loop.driver.base.peerAddress(of: openDescriptor(for: .readAddress))
    }

    /// Sets an option of the socket.
    ///
    /// - Throws: `.closed` after the end, and what setsockopt(2) says.
    public func setOption(_ option: SocketOption) throws(IOError) {
        try loop.driver.base.setOption(option, on: openDescriptor(for: .setOption))
    }

    /// Reads an option of the socket.
    ///
    /// - Throws: `.closed` after the end, and what getsockopt(2) says.
    public func option(_ key: SocketOption.Key) throws(IOError) -> SocketOption {
        try loop.driver.base.option(key, of: openDescriptor(for: .readOption))
    }

    private func openDescriptor(
        for operation: IOError.Operation
    ) throws(IOError) -> Descriptor {
        loop.checkOnLoop()
        guard slot != .none else { throw IOError(operation, reason: .closed) }
        return descriptor
    }

    // MARK: The owner's part

    /// Takes in what a receive or a send reports.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.receive) {
            received(completion)
        } else if completion.isOf(.send) {
            sent(completion)
        } else if condition.contains(.piped) {
            pipeCompleted(completion)
        }
        // What is left are cancels: their targets say how it went.
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] {
        [receiveToken, sendToken].compactMap { $0 }
    }

    /// Queues `connectionLost` after an abort or a failure.
    package override func descriptorClosed() {
        guard phase == .ending else {
            preconditionFailure(
                "a stream that owns its descriptor to the end was aborted or failed"
            )
        }
        if kind == .pipe { giveBack() } else { loop.openConnections -= 1 }
        scheduleLoss(lossError)
    }

    /// Arms the receive that ended for want of buffers, or that stood behind such.
    ///
    /// A pipe is read at once: readiness is a poll of its own, after which it would stand in line anew. A
    /// multishot receives at once too: where its first poll finds bytes and a reset together, the kernel
    /// takes the bytes and waits for a wake that came before (Linux 6.18; it looks again only behind the
    /// end of a TCP stream).
    package override func buffersAvailable(_ shareBytes: Int) {
        guard isReadyToReceive else { return }
        let readsAtOnce =
            condition.contains(.piped) || loop.driver.base.capabilities.multishotReceive
        submitReceive(
            byteBudget: min(receiveBudget, shareBytes),
            waitForReadiness: !readsAtOnce
        )
    }

    /// Sends what is queued, or takes the next step of the close.
    package override func flush() {
        flushQueue()
    }

    /// Aborts.
    package override func endForShutdown() {
        abort()
    }

    /// Asks the handler to finish.
    package override func drain() {
        guard phase == .open else { return }
        callHandler { try $0.drainStarted(on: self) }
    }

    /// Calls the handler; what it throws aborts the connection and is reported.
    @inline(__always)
    func callHandler(_ body: (any StreamHandler) throws -> Void) {
        guard let binding else { return }
        do {
            // Held during the call: off the completion path a callback may run the loop, which may
            // let the handler go.
            try unsafe body(binding.takeUnretainedValue().handler)
        } catch {
            handlerThrew(error)
        }
    }

    /// Takes the handler out, for the last call.
    func letGoOfHandler() -> (any StreamHandler)? {
        guard let binding else { return nil }
        self.binding = nil
        return unsafe binding.takeRetainedValue().handler
    }

    @inline(never)
    func handlerThrew(_ error: any Error) {
        loop.onCallbackError(CallbackFailure(error: error, origin: .streamHandler))
        end(error as? IOError ?? IOError(.receive, descriptor: descriptor, reason: .cancelled))
    }
}
