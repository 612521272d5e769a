internal import DequeModule

/// One datagram endpoint: what it sends goes out at once or queues here, what comes goes to its handler.
///
/// It hears everybody, or its peer alone when it is connected.
///
/// > Thread: On-loop only; what changes something checks that.
/// > Ownership: The loop keeps it until its descriptor is closed; the handler is let go with
/// > `connectionLost`.
@safe public final class DatagramTransport: DescriptorOwner {
    // Safety: exclusivity is unchecked for what the loop's thread alone touches, several times a
    // datagram, and never lends out (docs/decisions/0003).
    /// The loop it lives on.
    public let loop: EventLoop
    /// The peer of a connected endpoint; nil when it hears everybody.
    public let peer: SocketAddress?
    let descriptor: Descriptor
    let family: Int32
    let layout: MessageLayout
    let room: MessageRoom
    let options: DatagramOptions
    let receivesManyAtOnce: Bool
    private let file: UnixSocketFile?
    @safe @exclusivity(unchecked) var condition = DatagramCondition()
    /// What ended the endpoint before its time; `connectionLost` is told when everything was reaped.
    package internal(set) var lossError: IOError?
    /// Called when the descriptor is closed, before `connectionLost`.
    package var whenClosed: (() -> Void)?
    // Safety: retained in init, given back once, by `letGoOfHandler`.
    @safe @exclusivity(unchecked) var binding: Unmanaged<DatagramHandlerBinding>?

    // Input.
    @safe @exclusivity(unchecked) var receiveToken: OperationToken?
    var isReceiveCancelled = false
    @safe @exclusivity(unchecked) var parked = UniqueDeque<Datagram>()
    @safe @exclusivity(unchecked) var parkedBytes = 0

    // Output.
    var pollToken: OperationToken?
    @safe @exclusivity(unchecked) var queue = DatagramQueue()
    var writeHighWatermark: Int
    var writeLowWatermark: Int
    /// A send of the first failed for an earlier datagram's sake, and is tried again.
    var isErrorTold = false
    var sendPauseNanoseconds = DatagramTransport.sendPauseMinNanoseconds
    var retryTimer: TimerID?
    var receiveTimer: TimerID?
    var closeTimer: TimerID?

    init(
        loop: EventLoop,
        socket: DatagramSocket,
        options: DatagramOptions,
        handler: any DatagramHandler
    ) {
        self.loop = loop
        self.descriptor = socket.descriptor
        self.peer = socket.peer
        self.file = socket.file
        self.family = (socket.peer ?? socket.address).family
        self.options = options
        self.layout = Self.layout(of: socket, options)
        self.room = MessageRoom(layout)
        self.receivesManyAtOnce = loop.driver.base.capabilities.multishotReceiveMessage
        self.binding = unsafe .passRetained(DatagramHandlerBinding(handler))
        // As `setWriteBufferLimits` asks; options cannot throw.
        self.writeLowWatermark = max(0, options.writeLowWatermark)
        self.writeHighWatermark = max(max(0, options.writeLowWatermark), options.writeHighWatermark)
    }

    deinit {
        // After a shut-down that left operations behind.
        if receiveToken != nil { room.leave() }
        unsafe binding?.release()
    }

    static func layout(of socket: DatagramSocket, _ options: DatagramOptions) -> MessageLayout {
        MessageLayout(
            family: (socket.peer ?? socket.address).family,
            isConnected: socket.peer != nil,
            receivesSegments: options.receivesSegments
        )
    }

    /// The descriptor entered the table: tell the handler, and start to receive.
    func start() {
        callHandler { try $0.connectionMade(self) }
        armReceive(waitForReadiness: false)
    }

    // MARK: Facts

    /// `close` or `abort` was called, or the endpoint failed.
    public var isClosing: Bool { phase != .open }

    /// Datagrams that wait to be sent.
    public var queuedDatagrams: Int { queue.count }

    /// What the datagrams that wait to be sent pin; the watermarks look at this.
    public var writeBufferPinnedBytes: Int { queue.pinnedBytes }

    /// The endpoint's own address.
    ///
    /// - Throws: `.closed` after the end, and what getsockname(2) says.
    public func localAddress() throws(IOError) -> SocketAddress {
        try loop.driver.base.localAddress(of: openDescriptor(for: .readAddress))
    }

    /// Sets an option of the socket.
    ///
    /// - Throws: `.closed` after the end, `.invalidArgument` for what no socket takes, and what
    ///   setsockopt(2) says.
    public func setOption(_ option: SocketOption) throws(IOError) {
        if case .datagram(.receiveSegments) = option {
            throw IOError(
                .setOption,
                reason: .invalidArgument,
                detail: "receiveSegments is chosen by DatagramOptions.receivesSegments"
            )
        }
        try loop.driver.base.setOption(option, on: openDescriptor(for: .setOption))
    }

    private func openDescriptor(
        for operation: IOError.Operation
    ) throws(IOError) -> Descriptor {
        loop.checkOnLoop()
        guard slot != .none else { throw IOError(operation, reason: .closed) }
        return descriptor
    }

    // MARK: The owner's part

    /// Takes in what a receive reports, or that there is room for a send.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.receiveMessage) {
            received(completion)
        } else if completion.isOf(.poll) {
            polled(completion)
        }
        // What is left are cancels: their targets say how it went.
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] {
        [receiveToken, pollToken].compactMap { $0 }
    }

    /// Queues `connectionLost`.
    package override func descriptorClosed() {
        scheduleLoss()
    }

    /// Arms the receive that ended for want of buffers, or that stood behind such.
    package override func buffersAvailable(_ shareBytes: Int) {
        guard isReadyToReceive else { return }
        submitReceive(waitForReadiness: true)
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

    /// Takes the name of a Unix socket away while the socket is open: no other file can have the same
    /// numbers yet.
    func removeFile() {
        guard let failure = file?.remove(through: loop.driver.base) else { return }
        loop.options.log("the file of a datagram socket stays: \(failure)")
    }

    // MARK: The handler

    /// Calls the handler; what it throws aborts the endpoint and is reported.
    func callHandler(_ body: (any DatagramHandler) throws -> Void) {
        guard let binding else { return }
        do {
            // Held during the call: a callback may run the loop, which may let the handler go.
            try unsafe body(binding.takeUnretainedValue().handler)
        } catch {
            handlerThrew(error)
        }
    }

    /// Takes the handler out, for the last call.
    func letGoOfHandler() -> (any DatagramHandler)? {
        guard let binding else { return nil }
        self.binding = nil
        return unsafe binding.takeRetainedValue().handler
    }

    @inline(never)
    func handlerThrew(_ error: any Error) {
        loop.onCallbackError(CallbackFailure(error: error, origin: .datagramHandler))
        end(error as? IOError ?? IOError(.receive, descriptor: descriptor, reason: .cancelled))
    }
}
