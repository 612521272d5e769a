internal import CUring

/// The epoll driver: completions where the kernel gives readiness.
///
/// A call is made when it is likely to succeed, and its result is queued as a completion. What the
/// kernel has no bytes or no room for waits in a list of its descriptor, which is watched
/// edge-triggered from its first wait to its end: so a request costs one receive and one send, and
/// a share of one wait. No memory is ever the kernel's: what is given to an operation is read and
/// written during calls only.
///
/// > Thread: On-loop only, `waker` excepted.
/// > Ownership: It owns the set and the waker's eventfd. The pool's memory stays mapped until
/// > `shutDown` has returned.
@safe package final class EpollDriver: KernelDriver, SystemControl {
    // The variables marked `@exclusivity(unchecked)` are touched by the loop's thread alone, and no
    // method lends one out while it calls something else (docs/decisions/0003).
    // Safety: that rule holds for every `unsafe` that only reads or writes such a variable.

    let set: EpollSet
    let wakeSource: EventDescriptorWaker
    /// By number; numbers beyond it are refused.
    let descriptors: SlotSlab<WatchedDescriptor>
    /// By the slot that the loop gave the operation.
    let operations: SlotSlab<WaitingOperation>
    @safe @exclusivity(unchecked) var completions = CompletionQueue()
    @safe @exclusivity(unchecked) var supply = BufferStack()
    @safe @exclusivity(unchecked) var ready = ReadyDescriptors()
    @safe @exclusivity(unchecked) var counters = DriverMetrics()
    /// Turns of the loop since the set was asked for events.
    @safe @exclusivity(unchecked) var turnsSinceLook = 0
    /// After so many completions the descriptors that are left wait for the next turn.
    @safe @exclusivity(unchecked) var completionsPerTurnMax = 4
    @safe @exclusivity(unchecked) var isShutDown = false
    var isPoolAdopted = false
    lazy var messages = MessageBatch()

    /// The word of the waker's events: no descriptor's, since none has this number.
    static let wakerWord = UInt64.max
    private static let descriptorsMax = 1 << 22
    private static let operationsMax = 1 << 22

    /// Opens a set and a waker.
    ///
    /// - Throws: errors of `.setUpDriver` and `.mapMemory` in words.
    package init() throws(IOError) {
        set = try EpollSet()
        do throws(IOError) {
            wakeSource = try EventDescriptorWaker()
        } catch {
            throw error.errno.map { SetupFailure.noDescriptor($0, from: "eventfd2") } ?? error
        }
        descriptors = try SlotSlab(slotsMax: Self.descriptorsMax)
        operations = try SlotSlab(slotsMax: Self.operationsMax)
        let failure = set.add(
            wakeSource.descriptor,
            for: UInt32(CU_EVENT_READ),
            word: Self.wakerWord
        )
        if let failure { throw SetupFailure.noDescriptor(failure, from: "epoll_ctl") }
    }

    deinit {
        _ = shutDown(graceNanoseconds: 0)
    }

    /// What it has counted.
    package var metrics: DriverMetrics { counters }

    /// Everything is done here, so everything works.
    package var capabilities: Capabilities {
        var capabilities = Capabilities()
        capabilities.multishotAccept = true
        capabilities.multishotReceive = true
        capabilities.receiveBudget = true
        capabilities.multishotPoll = true
        capabilities.multishotReceiveMessage = true
        return capabilities
    }

    /// Ends `submitAndWait` from any thread.
    package var waker: any Waker { wakeSource }

    /// None: completions come about when the driver makes calls, so no descriptor tells of them.
    package var completionDescriptor: Descriptor? { nil }

    /// The driver's name, for logs.
    package var summary: String { "epoll (edge-triggered)" }

    /// CLOCK_MONOTONIC, in nanoseconds.
    package func now() -> UInt64 { MonotonicClock.nanoseconds() }

    // MARK: Descriptors

    /// What is known of a descriptor; nil for a number that no socket has here.
    @inline(__always)
    func known(_ descriptor: Descriptor) -> UnsafeMutablePointer<WatchedDescriptor>? {
        let index = SlotIndex(rawValue: UInt32(bitPattern: descriptor.rawValue))
        // Safety: slots keep their addresses.
        guard descriptors.contains(index) else { return unsafe learn(index) }
        return unsafe descriptors.address(of: index)
    }

    // Safety: as `known`.
    @inline(never)
    private func learn(_ index: SlotIndex) -> UnsafeMutablePointer<WatchedDescriptor>? {
        guard index.rawValue < UInt32(Self.descriptorsMax) else { return nil }
        while !descriptors.contains(index) {
            guard descriptors.grow({ _ in WatchedDescriptor() }) != nil else { return nil }
        }
        return unsafe descriptors.address(of: index)
    }

    /// Opens a stream socket, close-on-exec and non-blocking.
    package func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let descriptor = try SystemSockets().openStreamSocket(for: address)
        forget(descriptor)
        return descriptor
    }

    /// Closes a descriptor on which nothing is in flight; the kernel ends its watch.
    package func close(_ descriptor: Descriptor) {
        forget(descriptor)
        SystemSockets().close(descriptor)
    }

    /// Ends the watch of a descriptor that somebody else goes on with, or closes unseen.
    package func letGo(_ descriptor: Descriptor) {
        // Safety: the slot is read during the call.
        guard !isShutDown, let known = unsafe known(descriptor) else { return }
        if unsafe known.pointee.state.contains(.watched) { set.remove(descriptor) }
        forget(descriptor)
    }

    /// Whatever was known of this number was about another descriptor.
    func forget(_ descriptor: Descriptor) {
        // Safety: the slot is changed during the call.
        guard let known = unsafe known(descriptor) else { return }
        unsafe known.pointee.forget()
    }
}
