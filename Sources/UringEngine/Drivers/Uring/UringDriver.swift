internal import CUring

/// The io_uring driver: one ring, one buffer ring, one waker.
///
/// > Thread: On-loop only, `waker` excepted. It is created on the thread that uses it: a ring with
/// > SINGLE_ISSUER or a
/// > registered descriptor answers to no other.
/// > Ownership: It owns the ring and the waker's eventfd. The pool's memory stays mapped until
/// > `shutDown` has returned 0.
@safe package final class UringDriver: KernelDriver, SystemControl {
    // The variables marked `@exclusivity(unchecked)` are touched by the loop's thread alone,
    // several times an operation, and no method lends one out while it calls something else: the
    // dynamic check would find nothing.
    // Safety: that rule holds for every `unsafe` that only reads or writes such a variable.

    // Safety: `raw` is the ring's own structure, which `ring` keeps allocated as long as this
    // object lives.
    let raw: UnsafeMutablePointer<io_uring>
    let ring: UringRing
    let buffers: ProvidedBuffers?
    let wakeSource: EventDescriptorWaker
    let receiveMode: ReceiveMode
    let messageMode: ReceiveMode
    let isPolledByKernel: Bool
    private let log: (String) -> Void

    /// What works here.
    package let capabilities: Capabilities
    let features: FeatureReport
    @exclusivity(unchecked)
    var counters = DriverMetrics()
    /// Operations prepared whose terminal completion has not been reaped, the driver's own among
    /// them.
    @exclusivity(unchecked)
    var operationsInFlight = 0
    @exclusivity(unchecked)
    var supply = BufferSupply()
    /// One byte less than a buffer holds.
    @exclusivity(unchecked)
    var budgetSlackBytes = 0
    /// There is a backlog, or the waker is not armed: looked at once before each wait.
    @exclusivity(unchecked)
    var needsSettling = false
    /// Entries wait beyond the queue, so that no later one may go into it.
    @exclusivity(unchecked)
    var hasBacklog = false

    // Off the hot path: checked as usual.
    var emulation = EmulatedReceive()
    var backlog = SubmissionBacklog()
    var isWakerArmed = false
    var isShutDown = false
    var isPoolAdopted = false
    var leftByShutDown = 0
    let fileOperations: FileOperations
    /// What was registered for reads and writes of files.
    var fileMemory: Range<UInt>?
    var registered: RegisteredDescriptors
    /// Made for a foreign loop.
    var turn: TurnDescriptor?

    /// Sets a ring up on the calling thread and tries what it can do.
    ///
    /// - Throws: an error of `.setUpRing` that says what is missing and what to change.
    package init(options: UringDriverOptions) throws(IOError) {
        let setup = try DriverSetup.run(options)
        ring = setup.ring
        unsafe raw = setup.ring.raw
        buffers = setup.buffers
        features = setup.report
        capabilities = setup.capabilities
        receiveMode = ReceiveMode(setup.capabilities, hasBufferRing: setup.buffers != nil)
        messageMode = ReceiveMode(ofMessages: setup.capabilities, setup.buffers != nil)
        isPolledByKernel = setup.ring.rung == .kernelPolling
        fileOperations = setup.report.fileOperations
        registered = RegisteredDescriptors(isWanted: setup.report.isOn(.registeredFiles))
        log = options.log
        do throws(IOError) {
            wakeSource = try EventDescriptorWaker()
        } catch {
            throw error.errno.map { SetupFailure.noDescriptor($0, from: "eventfd2") } ?? error
        }
        armWaker()
    }

    deinit {
        guard !isShutDown else { return }
        // Forgotten by an owner that failed. One second is what a cancelled operation may take;
        // more would hang an exit.
        let left = shutDown(graceNanoseconds: 1_000_000_000)
        if left > 0 { log("\(left) operations had not ended when their ring was dropped") }
    }

    /// What it has counted.
    package var metrics: DriverMetrics { unsafe counters }

    /// Why each feature is on or off, in the order of `KernelFeature`.
    package var featureReport: [FeatureReport.Line] { features.lines }

    /// Ends `submitAndWait` from any thread.
    package var waker: any Waker { wakeSource }

    /// The ring's own descriptor.
    package var completionDescriptor: Descriptor? { ring.descriptor }

    /// The rung of the set-up ladder that its ring stands on.
    package var rung: SetupRung { ring.rung }

    /// The ring's sizes, after what a memory limit took off.
    package var sizes: RingSizes { ring.sizes }

    /// The driver, its rung, its sizes, and what is off.
    package var summary: String {
        // The first rung leaves COOP_TASKRUN out because it goes further, which is no loss to
        // report.
        let off = features.lines.filter { line in
            let isSurpassed = line.feature == .coopTaskrun && ring.rung == .deferTaskrun
            return !line.isOn && (!isSurpassed || line.reason == FeatureReport.masked)
        }
        .map(\.feature.rawValue)
        let tail = off.isEmpty ? "" : ", without " + off.joined(separator: " ")
        return "io_uring (\(ring.rung.name); \(ring.sizes))\(tail)"
    }

    /// CLOCK_MONOTONIC, in nanoseconds.
    package func now() -> UInt64 { MonotonicClock.nanoseconds() }
}

/// How this driver receives.
enum ReceiveMode {
    /// Multishot, and the kernel keeps the byte budget.
    case budgeted
    /// Multishot.
    case multishot
    /// One buffer an operation.
    case oneShot
    /// A poll, then recv(2).
    case emulated

    init(_ capabilities: Capabilities, hasBufferRing: Bool) {
        self =
            switch (hasBufferRing, capabilities.multishotReceive, capabilities.receiveBudget) {
            case (false, _, _): .emulated
            case (true, false, _): .oneShot
            case (true, true, false): .multishot
            case (true, true, true): .budgeted
            }
    }

    /// How it receives datagrams.
    init(ofMessages capabilities: Capabilities, _ hasBufferRing: Bool) {
        self =
            switch (hasBufferRing, capabilities.multishotReceiveMessage) {
            case (false, _): .emulated
            case (true, false): .oneShot
            case (true, true): .multishot
            }
    }
}
