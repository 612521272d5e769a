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
package protocol KernelDriver: AnyObject, SocketControl {
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

    /// Sends as `send` does: the kernel copies.
    package func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        // Safety: as of `send`.
        unsafe send(token, on: descriptor, bytes: bytes)
    }

    /// Hands one buffer over.
    package func provide(_ buffer: BufferID) {
        // Safety: the driver reads the one number during the call.
        unsafe withUnsafePointer(to: buffer) {
            unsafe provide(UnsafeBufferPointer(start: $0, count: 1))
        }
    }
}
