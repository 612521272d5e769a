package import UringEngine

/// A real driver whose completions and answers are changed by a plan.
///
/// What it reports is what a kernel might: nothing is in flight on a descriptor that is closed, a
/// buffer is where the pool thinks it is, and a descriptor that nobody hears of is closed.
///
/// - An operation that fails *beforehand* never reaches the kernel. Its completion comes by way of
///   the ring where that works (IORING_NOP_INJECT_RESULT, Linux 6.10), else from a queue of this
///   driver's own.
/// - One that fails *afterwards* is carried out, and its result is lost: an accepted descriptor is
///   closed, a received buffer is provided again. An armed one is ended first, so that the error is
///   its last completion. But an error that only says "ask again" never takes bytes along, since no
///   kernel's does: what was received is handed on before it, and a send fails beforehand.
///
/// ```swift
/// let plan = FaultPlan([FaultRule(.send, .every(3), Fault(.noBuffers))])
/// let driver = try FaultDriver(UringDriver(options: options.uringDriver), plan)
/// let loop = try EventLoop(driver: .custom(driver), options: options)
/// ```
///
/// > Thread: On-loop only, `waker` excepted; made where the driver in it was made.
package final class FaultDriver: KernelDriver {
    /// What goes wrong.
    package let plan: FaultPlan
    /// Failed operations complete by way of the ring.
    package let completesThroughRing: Bool
    let base: any KernelDriver
    /// Operations whose result will be lost.
    var doomed: [OperationToken: DoomedOperation] = [:]
    /// Completions of its own that were not handed over yet, and those that were.
    var prepared: [Completion] = []
    var ready: [Completion] = []

    /// The token under which it ends armed operations; no loop has that many slots.
    static let ownCancel = OperationToken(
        generation: .first,
        kind: .cancel,
        slot: SlotIndex(rawValue: .max - 1)
    )

    /// Stands before `driver`, which nothing has used yet.
    ///
    /// - Parameters:
    ///   - driver: the driver that really asks the kernel.
    ///   - plan: what goes wrong.
    ///   - prefersOwnQueue: do without the ring for completions of its own.
    /// - Throws: an error of `.wait` when the kernel cannot be asked what it can do.
    package init(
        _ driver: any KernelDriver,
        _ plan: FaultPlan,
        prefersOwnQueue: Bool = false
    ) throws(IOError) {
        self.base = driver
        self.plan = plan
        guard !prefersOwnQueue, let ring = driver as? UringDriver else {
            self.completesThroughRing = false
            return
        }
        self.completesThroughRing = try Self.completesWithAnyResult(ring)
    }

    /// Tries it once.
    private static func completesWithAnyResult(_ ring: UringDriver) throws(IOError) -> Bool {
        let wanted = -Errno.noBuffers.rawValue
        guard ring.completeWithNothingDone(ownCancel, result: wanted) else { return false }
        var batch = CompletionBatch(capacity: 1)
        let deadline = ring.now() &+ 1_000_000_000
        while batch.count == 0, ring.now() < deadline {
            try ring.submitAndWait(.deadline(deadline))
            ring.reap(into: &batch)
        }
        return batch.count == 1 && batch[0].result == wanted
    }

    // MARK: What it is

    /// The driver in it, and that it is not to be trusted.
    package var summary: String { base.summary + ", with faults" }
    /// What works here.
    package var capabilities: Capabilities { base.capabilities }
    /// What the driver in it has counted.
    package var metrics: DriverMetrics { base.metrics }
    /// Ends `submitAndWait` from any thread.
    package var waker: any Waker { base.waker }
    /// As the driver in it says.
    package var completionDescriptor: Descriptor? { base.completionDescriptor }
    /// The clock of the driver in it.
    package func now() -> UInt64 { base.now() }

    // MARK: Waiting

    /// Its own completions count.
    package var hasUnreadCompletions: Bool { !ready.isEmpty || base.hasUnreadCompletions }

    /// Hands over and waits, unless something has completed by itself.
    package func submitAndWait(_ bound: WaitBound) throws(IOError) {
        if let fault = plan.decide(.wait) { throw IOError(.wait, errno: fault.errno) }
        ready += prepared
        prepared.removeAll()
        try base.submitAndWait(ready.isEmpty ? bound : .poll)
    }

    /// Copies completions out, changed where the plan says so.
    package func reap(into batch: inout CompletionBatch) {
        while batch.room > 0, !ready.isEmpty { batch.append(ready.removeFirst()) }
        guard batch.room > 0 else { return }
        var found = CompletionBatch(capacity: batch.room)
        base.reap(into: &found)
        for position in 0..<found.count { pass(found[position], into: &batch) }
    }

    // MARK: Buffers

    /// Learns the pool's memory, or refuses to.
    package func adopt(_ region: PoolRegion) throws(IOError) {
        try check(.adopt)
        try base.adopt(region)
    }

    /// As the driver in it says.
    package func registerFileMemory(_ region: PoolRegion) -> Errno? {
        base.registerFileMemory(region)
    }

    /// As the driver in it says.
    package func register(_ descriptor: Descriptor) -> RegisteredPlace? {
        base.register(descriptor)
    }

    /// Takes a file out of the table.
    package func unregister(_ place: RegisteredPlace) {
        base.unregister(place)
    }

    /// As the driver in it says.
    package var providedBuffersMax: Int { base.providedBuffersMax }

    /// Hands buffers over.
    package func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        // Safety: the list is read during the call.
        unsafe base.provide(buffers)
    }

    /// Makes the provided buffers visible.
    package func publish() {
        base.publish()
    }

    // MARK: The end

    /// Ends everything; nothing goes wrong any more.
    package func shutDown(graceNanoseconds: UInt64) -> Int {
        plan.disarm()
        prepared.removeAll()
        ready.removeAll()
        doomed.removeAll()
        return base.shutDown(graceNanoseconds: graceNanoseconds)
    }
}

/// An operation that the kernel carries out for nothing.
struct DoomedOperation {
    /// What will be reported.
    let errno: Errno
    /// It was told to end.
    var isEnding = false
}
