internal import CNUMA
internal import CUring
internal import Synchronization

/// The memory of one loop's receives: one mapping, buffers of one size, each in exactly one state.
///
/// Buffers are the kernel's until a completion hands one over, then lent until the last holder
/// ends, then free until the loop provides them again.
///
/// > Thread: On-loop only, `takeBack` excepted.
/// > Ownership: Outlives its loop while buffers are lent; the last return unmaps it.
@safe package final class BufferPool: @unchecked Sendable {
    // Sendable: all but `takeBack` is on-loop; `takeBack` elsewhere touches only the mutex and the
    // atomic.

    /// Where a buffer is.
    package enum State: UInt8, Sendable {
        /// In the pool, to be provided.
        case free
        /// Given to the kernel.
        case kernelOwned
        /// Held by the engine or by a user.
        case lent
    }

    private struct Returns {
        var buffers: [BufferID] = []
        var wantsWake = false
        var isOrphaned = false
        var outstandingCount = 0
    }

    /// The memory, as the driver learns it.
    package let region: PoolRegion
    private let map: MemoryMap
    // Safety: `count` states and `count` free numbers, allocated in init, freed in deinit, indexed
    // by checked ids.
    private let states: UnsafeMutablePointer<State>
    private let freeBuffers: UnsafeMutablePointer<BufferID>
    @safe @exclusivity(unchecked) private var freeCount: Int
    /// Buffers that the kernel may fill.
    package var kernelOwnedCount: Int { region.bufferCount &- freeCount &- lentCount }
    /// Buffers that somebody holds.
    @safe @exclusivity(unchecked) package private(set) var lentCount = 0
    private let mostlyLentCount: Int
    // The loop's identity lives as long as the pool: at its address no other loop may be made while
    // buffers are out.
    private let loop: AnyObject?
    private let loopAddress: UnsafeMutableRawPointer?
    private let waker: any Waker
    private let returns = Mutex(Returns())
    // Relaxed hint that `returns` is not empty; the mutex orders the data itself.
    private let hasReturns = Atomic(false)
    /// The memory is locked; otherwise the reason is in the summary.
    package let lockFailure: Errno?
    /// Locking was asked for and worked.
    package let isLocked: Bool

    /// Maps, places, locks and touches the memory.
    ///
    /// Call it on the thread that will use it.
    ///
    /// - Parameters:
    ///   - options: the shape.
    ///   - loop: the object whose address `cu_current_loop` gives on the pool's own thread.
    ///   - waker: wakes that thread when it starves for buffers.
    /// - Throws: an error of `.mapMemory` that names the bytes.
    package init(
        _ options: BufferPoolOptions,
        loop: AnyObject?,
        waker: any Waker
    ) throws(IOError) {
        let count = options.bufferCount
        let stride = PoolRegion.strideBytes(options.bufferBytes)
        self.map = try MemoryMap(byteCount: stride * count)
        unsafe self.region = PoolRegion(
            base: map.base,
            bufferBytes: options.bufferBytes,
            bufferCount: count
        )
        self.loop = loop
        unsafe self.loopAddress = loop.map { unsafe Unmanaged.passUnretained($0).toOpaque() }
        self.waker = waker
        self.mostlyLentCount = max(1, count - count / 4)
        unsafe self.states = .allocate(capacity: count)
        unsafe states.initialize(repeating: .free, count: count)
        unsafe self.freeBuffers = .allocate(capacity: count)
        self.freeCount = count
        unsafe cn_prefer_node(map.base, map.byteCount, cn_node_of_cpu(max(cn_current_cpu(), 0)))
        self.lockFailure = options.isLockWanted ? map.lock() : nil
        self.isLocked = options.isLockWanted && lockFailure == nil
        for position in 0..<count {
            // The last number first, so that the first buffers are provided first.
            unsafe (freeBuffers + position).initialize(
                to: BufferID(rawValue: UInt16(count - 1 - position))
            )
        }
        touch()
        for position in 0..<count { fence(BufferID(rawValue: UInt16(position))) }
    }

    deinit {
        unsafe states.deallocate()
        unsafe freeBuffers.deallocate()
    }

    /// First touch decides the NUMA node of a page, so it happens here, on the loop's own thread.
    private func touch() {
        for offset in stride(from: 0, to: map.byteCount, by: MemoryMap.pageBytes) {
            unsafe map.base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self)
        }
    }

    /// Buffers waiting to be provided.
    package var freeBufferCount: Int { freeCount }

    /// More than three quarters are lent: received bytes are copied out from here on.
    package var isMostlyLent: Bool { lentCount > mostlyLentCount }

    /// Takes up to `countMax` free buffers for the kernel.
    ///
    /// Safety: the list is valid until the next buffer comes back.
    @inline(__always)
    package func takeForKernel(atMost countMax: Int) -> UnsafeBufferPointer<BufferID> {
        let count = min(freeCount, max(countMax, 0))
        freeCount &-= count
        let taken = unsafe UnsafeBufferPointer(start: freeBuffers + freeCount, count: count)
        let states = unsafe states
        for position in 0..<taken.count {
            let buffer = unsafe taken[position]
            // Only numbers below the count ever enter the list, see `free`.
            let place = unsafe states + Int(buffer.rawValue)
            unsafe precondition(place.pointee == .free, "a provided buffer was free")
            unsafe place.pointee = .kernelOwned
            unfence(buffer)
        }
        return unsafe taken
    }

    /// Takes one free buffer for the kernel; nil when none is free.
    package func takeForKernel() -> BufferID? {
        unsafe takeForKernel(atMost: 1).first
    }

    /// Takes over a buffer that a completion handed out.
    @inline(__always)
    package func lease(_ buffer: BufferID) -> BufferLease {
        precondition(
            state(of: buffer) == .kernelOwned,
            "a completion hands out a buffer it was given"
        )
        unsafe states[Int(buffer.rawValue)] = .lent
        lentCount &+= 1
        return BufferLease(id: buffer)
    }

    /// Takes over the bytes of a completion.
    @inline(__always)
    package func receive(_ slice: BufferSlice) -> ReceivedBytes {
        ReceivedBytes(lease(slice.buffer), slice: slice, pool: self)
    }

    /// Gives back a buffer that nobody wants.
    package func drop(_ lease: consuming BufferLease) {
        free(lease.end())
    }

    /// Gives a lent buffer back, from any thread.
    func takeBack(_ buffer: BufferID) {
        if unsafe cu_current_loop() == loopAddress, unsafe loopAddress != nil {
            free(buffer)
        } else {
            takeBackElsewhere(buffer)
        }
    }

    /// Gives a lent buffer back, on the loop's own thread.
    @inline(__always)
    func free(_ buffer: BufferID) {
        precondition(state(of: buffer) == .lent, "a buffer comes back once, after it was lent")
        unsafe states[Int(buffer.rawValue)] = .free
        fence(buffer)
        unsafe freeBuffers[freeCount] = buffer
        freeCount &+= 1
        lentCount &-= 1
    }

    /// Makes memory that nobody may touch a trap for who does, in a build with fences.
    ///
    /// The kernel's writes fail with EFAULT then.
    @inline(__always)
    func fence(_ buffer: BufferID) {
        #if URINGCORE_FENCED_POOL
        BufferFence(region).close(buffer)
        #endif
    }

    /// Opens what `fence` closed.
    @inline(__always)
    func unfence(_ buffer: BufferID) {
        #if URINGCORE_FENCED_POOL
        BufferFence(region).open(buffer)
        #endif
    }

    private func state(of buffer: BufferID) -> State {
        precondition(
            Int(buffer.rawValue) < region.bufferCount,
            "a buffer number is below the count"
        )
        return unsafe states[Int(buffer.rawValue)]
    }

    // MARK: Returns from other threads

    private func takeBackElsewhere(_ buffer: BufferID) {
        fence(buffer)
        let (wakes, isLast) = returns.withLock { returns in
            guard !returns.isOrphaned else {
                returns.outstandingCount -= 1
                return (false, returns.outstandingCount == 0)
            }
            returns.buffers.append(buffer)
            defer { returns.wantsWake = false }
            return (returns.wantsWake, false)
        }
        // Safety: balances the retain of `orphan`; nobody holds a buffer any more.
        if isLast { return unsafe Unmanaged.passUnretained(self).release() }
        hasReturns.store(true, ordering: .relaxed)
        if wakes { waker.wake() }
    }

    /// Takes in what other threads gave back.
    package func collectReturns() {
        guard hasReturns.load(ordering: .relaxed) else { return }
        let buffers = returns.withLock { returns in
            hasReturns.store(false, ordering: .relaxed)
            defer { returns.buffers.removeAll(keepingCapacity: true) }
            return returns.buffers
        }
        for buffer in buffers { free(buffer) }
    }

    /// Asks for a wake with the next return from another thread, because connections starve.
    ///
    /// - Returns: false when returns are waiting already: collect them instead of parking.
    package func requestWakeOnReturn() -> Bool {
        returns.withLock { returns in
            returns.wantsWake = returns.buffers.isEmpty
            return returns.buffers.isEmpty
        }
    }

    /// The loop ends: from here on buffers come back one by one, and the last return unmaps the
    /// pool.
    package func orphan() {
        collectReturns()
        let isHeld = returns.withLock { returns in
            // What came back since `collectReturns` is not outstanding.
            returns.outstandingCount = lentCount - returns.buffers.count
            returns.isOrphaned = true
            return returns.outstandingCount > 0
        }
        // Safety: balanced by the last return.
        if isHeld { _ = unsafe Unmanaged.passUnretained(self).retain() }
    }

    /// Every buffer has one state, and the counts say how many have which.
    package func checkInvariants() {
        var counts = [0, 0, 0]
        for position in 0..<region.bufferCount {
            counts[Int(unsafe states[position].rawValue)] += 1
        }
        precondition(
            counts == [freeCount, kernelOwnedCount, lentCount],
            "every buffer is free, the kernel's or lent"
        )
    }
}
