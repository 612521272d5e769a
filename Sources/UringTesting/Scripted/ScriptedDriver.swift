internal import CUring
package import UringEngine

/// A kernel that does nothing by itself: it records what a loop asks, and a test says what comes of
/// it.
///
/// No descriptor is real, no call blocks, and the clock moves only when told to or when a wait has
/// nothing else to return for. Operations are values (`ScriptedOperation`), control calls stand in
/// one ordered `journal`, and a rule of the seam that the loop breaks is a `ScriptedViolation`.
///
/// ```swift
/// let driver = ScriptedDriver()
/// let loop = try EventLoop(driver: .custom(driver))
/// …                                            // the loop listens
/// let peer = driver.acceptConnection(on: listener)
/// try loop.runOnce()
/// driver.deliver([1, 2, 3], on: peer)
/// try loop.runOnce()
/// #expect(driver.lastOperation(of: .send, on: peer)?.verb.bytes == [1, 2, 3])
/// driver.completeSend(on: peer, .all)
/// ```
///
/// > Thread: On-loop only, `waker` excepted.
@safe package final class ScriptedDriver: KernelDriver {
    /// A driver on which everything works.
    package static var everyCapability: Capabilities {
        var capabilities = Capabilities()
        capabilities.multishotAccept = true
        capabilities.multishotReceive = true
        capabilities.receiveBudget = true
        capabilities.multishotPoll = true
        capabilities.zeroCopySend = true
        capabilities.multishotReceiveMessage = true
        capabilities.multishotRead = true
        capabilities.linkedTimeout = true
        return capabilities
    }

    // MARK: What a test sets

    /// What the loop is told that works.
    package var capabilities: Capabilities
    /// A cancel that is handed over answers at once: the target's ECANCELED, then its own 0 or
    /// ENOENT.
    package var answersCancels: Bool
    /// A broken rule ends the process; off, it only stands in `violations`.
    package var trapsOnViolation = true
    /// A buffer is overwritten when it is provided, so that a reader who kept it sees wrong bytes.
    package var overwritesProvidedBuffers = true
    /// It takes requests of files; off, the loop has them done elsewhere.
    package var performsFiles = true
    /// Readable while completions are unread, when a test wants one.
    package var completionDescriptor: Descriptor?
    /// Called for each operation as it is handed over, oldest first: a peer that reacts at once.
    package var onHandOver: ((ScriptedOperation, ScriptedDriver) -> Void)?
    /// Called when a wait would block: it may complete, deliver, advance or wake.
    package var onIdle: ((ScriptedDriver) -> Void)?
    /// Called for each look at the kernel that finds nothing and may not block: it may complete,
    /// deliver, advance or post.
    package var onPoll: ((ScriptedDriver) -> Void)?

    /// What `trySend` answers; nil takes the whole datagram.
    package var onTrySend: ((ScriptedDatagram) -> Errno?)?

    /// A closed number is handed out again, the lowest first, as a kernel does.
    package var reusesDescriptorNumbers: Bool {
        get { descriptors.reusesNumbers }
        set { descriptors.reusesNumbers = newValue }
    }

    // MARK: What it recorded

    /// What it has counted, the way a real driver counts.
    package internal(set) var metrics = DriverMetrics()
    /// Everything that crossed the seam, in order.
    package internal(set) var journal: [ScriptedEvent] = []
    /// Every `submitAndWait`, in order.
    package internal(set) var waits: [ScriptedWait] = []
    /// Every datagram that `trySend` took, in order.
    package internal(set) var sentDatagrams: [ScriptedDatagram] = []
    /// Every broken rule, in order.
    package private(set) var violations: [ScriptedViolation] = []
    /// `shutDown` was called.
    package internal(set) var hasEnded = false

    // MARK: State

    /// How many buffers it can hold at once.
    package let providedBuffersMax: Int
    let scriptedWaker = ScriptedWaker()
    var operationTable = ScriptedOperationTable()
    var descriptors = ScriptedDescriptorTable()
    var files = ScriptedFiles()
    var buffers = ScriptedBuffers()
    var unread: [Completion] = []
    // Safety: each is its operation's, which keeps it until the terminal completion.
    var messageHeaders: [OperationToken: UnsafeMutablePointer<cu_message>] = unsafe [:]
    var failures: [ScriptedCall: [Errno]] = [:]
    var clockNanoseconds: UInt64
    var isInterrupted = false

    /// Starts with nothing open, nothing in flight, and the clock at `startNanoseconds`.
    package init(
        capabilities: Capabilities = everyCapability,
        answersCancels: Bool = true,
        providedBuffersMax: Int = 32_768,
        startNanoseconds: UInt64 = 1_000_000_000
    ) {
        self.capabilities = capabilities
        self.answersCancels = answersCancels
        self.providedBuffersMax = providedBuffersMax
        self.clockNanoseconds = startNanoseconds
    }

    /// The driver's name for logs.
    package var summary: String { "scripted" }
    /// Counts wakes; one that is pending makes the next wait return.
    package var waker: any Waker { scriptedWaker }

    /// Records a broken rule, and ends the process unless `trapsOnViolation` is off.
    func report(_ violation: ScriptedViolation) {
        violations.append(violation)
        precondition(!trapsOnViolation, violation.description)
    }
}
