package import CUring

/// The seam to the kernel: everything that the loop asks of it, as verbs.
///
/// Operations take a token and answer later by one or more completions, the last one terminal.
/// Control verbs (`SocketControl`) answer at once. A driver is created on the thread that uses it,
/// and only that thread calls it.
///
/// > Thread: On-loop only, `waker` excepted.
/// > Ownership: Memory passed to an operation stays valid and unmoved until the terminal
/// > completion.
package protocol KernelDriver: AnyObject, SocketControl, StreamControl {
    // MARK: What it is

    /// One line for logs: the driver, its set-up rung, what is off.
    var summary: String { get }
    /// What works here.
    var capabilities: Capabilities { get }
    /// What it has counted.
    var metrics: DriverMetrics { get }
    /// Ends `submitAndWait` from any thread.
    var waker: any Waker { get }
    /// Readable while completions are unread; nil where there is none.
    var completionDescriptor: Descriptor? { get }

    // MARK: Clock and wait

    /// The driver's clock, in nanoseconds.
    func now() -> UInt64
    /// Completions lie in the queue that `reap` has not copied yet.
    var hasUnreadCompletions: Bool { get }
    /// Hands prepared operations over and waits, in at most one system call.
    ///
    /// Returns early for a wake or a signal. Nothing is handed out here; `reap` does that.
    ///
    /// - Throws: an error of `.wait` when the kernel refuses for good.
    func submitAndWait(_ bound: WaitBound) throws(IOError)
    /// Copies completions out, at most `batch.room`, and gives their places back to the kernel.
    func reap(into batch: inout CompletionBatch)

    // MARK: Operations

    /// Takes connections from a listener. Results: descriptors, close-on-exec, non-blocking.
    func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool)
    /// Connects a socket. The address stays valid until the terminal completion.
    func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    )
    /// The same, and ends it with ECANCELED at the address's deadline, where `linkedTimeout` is there.
    ///
    /// Returns false when it began nothing: the caller connects, and keeps the time itself.
    func connectInTime(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) -> Bool
    /// Receives into pool buffers, at most `byteBudget` in all where `receiveBudget` is there.
    ///
    /// `waitForReadiness` does not look at the socket first: for a re-arm after ENOBUFS.
    func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    )
    /// Sends one run of bytes. The result may be short.
    func send(_ token: OperationToken, on descriptor: Descriptor, bytes: UnsafeRawBufferPointer)
    /// Sends one run of bytes without a copy, where `zeroCopySend` is there; else as `send`.
    ///
    /// Two completions: what was sent, then the terminal one, when nobody reads the bytes any more. That
    /// may be as late as the peer's acknowledgement. The first is the only one when nothing was sent.
    func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    )
    /// Sends a message of several runs. The result may be short.
    func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    )
    /// Receives up to `byteCount` bytes of a TCP stream into nothing.
    func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int)
    /// Reports readiness: `events` and results as in poll(2).
    func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    )
    /// The loop lets go of a descriptor without closing it; whoever has it next may close it unseen.
    ///
    /// Nothing is in flight on it. A driver that remembers descriptors forgets this one.
    func letGo(_ descriptor: Descriptor)
    /// Asks for the end of `target`. Its own result: 0, ENOENT when it is over, EALREADY when it is
    /// running.
    func cancel(_ token: OperationToken, target: OperationToken)

    // MARK: Datagrams

    /// Receives datagrams into pool buffers.
    ///
    /// With `multishotReceiveMessage` each lies in its buffer as `MessageLayout` says, with `message`'s
    /// room for sender and control data; the result counts all of it. Without, the buffer holds one
    /// datagram's bytes, which the result counts; an empty one has no buffer, and sender, control data
    /// and flags are in `message`. `message` stays valid until the terminal completion.
    func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    )
    /// Sends one datagram at once, or bytes that the kernel cuts into segments; it never waits.
    ///
    /// - Returns: how many bytes went, or a negative errno: EAGAIN while there is no room.
    func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32

    // MARK: Files

    /// Begins an operation on a file or a path.
    ///
    /// - Returns: false, with nothing begun, for an operation that this driver cannot give to its
    ///   kernel; the loop then has it done elsewhere.
    func perform(_ token: OperationToken, _ request: FileRequest) -> Bool
    /// Registers the memory that reads and writes will mostly use, so that the kernel need not look
    /// it up each time. Called once, before the first of them.
    ///
    /// - Returns: why that is not so, or nil.
    func registerFileMemory(_ region: PoolRegion) -> Errno?
    /// Gives an open file a place in the kernel's own table; nil where there is none, or none free.
    func register(_ descriptor: Descriptor) -> RegisteredPlace?
    /// Takes a file out of that table. Nothing is in flight on it, and its descriptor is still open.
    func unregister(_ place: RegisteredPlace)

    // MARK: Pipes and terminals

    /// Reads what a pipe or a terminal has into pool buffers; the descriptor is non-blocking.
    ///
    /// A multishot goes on until its terminal completion where `multishotRead` is there, without a
    /// budget of the kernel's; anything else is over with its first buffer, or, where the driver reads
    /// itself, with `byteBudget`. EAGAIN means that readiness has to be polled for first.
    func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    )
    /// Writes one run of bytes to a pipe or a terminal. The result may be short.
    ///
    /// It may raise SIGPIPE on the calling thread, or on that of a later wait: who writes has it
    /// blocked or ignored.
    func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    )

    // MARK: Being driven by another loop

    /// A descriptor that is readable while there is something to wait or reap for, a wake included; nil
    /// where there is none. The driver owns it, and gives the same each time.
    ///
    /// - Throws: EMFILE and others as errors of `.setUpDriver`.
    func turnDescriptor() throws(IOError) -> Descriptor?
    /// Takes the readiness of `turnDescriptor` back, before what it told of is done.
    func beginTurn()
    /// Something is to be done that `turnDescriptor` does not tell of: the driver must be called again
    /// before anybody waits for that.
    var needsAnotherTurn: Bool { get }

    // MARK: Buffers

    /// Learns the pool's memory. Called once, before the first receive.
    func adopt(_ region: PoolRegion) throws(IOError)
    /// How many buffers it can hold at once.
    var providedBuffersMax: Int { get }
    /// Hands buffers over; they are the kernel's from `publish` on. The list is read during the
    /// call.
    func provide(_ buffers: UnsafeBufferPointer<BufferID>)
    /// Makes the provided buffers visible, in one step.
    func publish()

    // MARK: End

    /// Ends every operation that is left, waits for it, and gives the kernel's resources back.
    ///
    /// - Returns: how many operations did not end within `graceNanoseconds`; their memory must
    ///   never be unmapped.
    func shutDown(graceNanoseconds: UInt64) -> Int
}

extension KernelDriver {
    /// Does nothing: most drivers remember operations, not descriptors.
    package func letGo(_ descriptor: Descriptor) {}

    /// Begins nothing: a loop's own timers do.
    package func connectInTime(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) -> Bool { false }

    /// Sends as `send` does: the kernel copies.
    package func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        // Safety: as of `send`.
        unsafe send(token, on: descriptor, bytes: bytes)
    }

    /// Says that there is no such thing.
    package func registerFileMemory(_ region: PoolRegion) -> Errno? { .notSupported }

    /// Has no table.
    package func register(_ descriptor: Descriptor) -> RegisteredPlace? { nil }

    /// Has no table.
    package func unregister(_ place: RegisteredPlace) {
        preconditionFailure("only a registered file is taken out of a table")
    }

    /// The completions' own, as a rule.
    package func turnDescriptor() throws(IOError) -> Descriptor? { completionDescriptor }

    /// Does nothing, as a rule.
    package func beginTurn() {}

    /// Nothing, as a rule.
    package var needsAnotherTurn: Bool { false }

    /// Hands one buffer over.
    package func provide(_ buffer: BufferID) {
        // Safety: the driver reads the one number during the call.
        unsafe withUnsafePointer(to: buffer) {
            unsafe provide(UnsafeBufferPointer(start: $0, count: 1))
        }
    }
}
