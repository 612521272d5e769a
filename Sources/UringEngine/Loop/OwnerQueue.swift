/// A first-in first-out queue of owners that the descriptor table keeps alive, so that a mark costs
/// no reference count.
///
/// A ring of pointers that doubles when it is full; in steady state it allocates nothing.
///
/// > Thread: On-loop only.
@safe package final class OwnerQueue {
    // Safety: `capacity` pointers, `count` of them set from `head` on. An owner leaves the queue
    // (`remove`) before the table forgets it, see `EventLoop.finishClose`.
    @safe @exclusivity(unchecked) private var ring: UnsafeMutablePointer<Unmanaged<DescriptorOwner>>
    @safe @exclusivity(unchecked) private var capacity = 64
    @safe @exclusivity(unchecked) private var head = 0
    /// How many wait.
    @safe @exclusivity(unchecked) package private(set) var count = 0

    /// Makes an empty queue.
    package init() {
        ring = .allocate(capacity: 64)
    }

    deinit {
        unsafe ring.deallocate()
    }

    /// Nobody waits.
    package var isEmpty: Bool { count == 0 }

    /// Adds an owner at the end.
    @inline(__always)
    package func append(_ owner: DescriptorOwner) {
        if count == capacity { grow() }
        unsafe (ring + (head &+ count) & (capacity &- 1)).initialize(to: .passUnretained(owner))
        count &+= 1
    }

    /// Takes the first owner.
    ///
    /// Safety: the caller uses it before the table can let it go.
    @inline(__always)
    func popFirst() -> Unmanaged<DescriptorOwner>? {
        guard count > 0 else { return nil }
        let first = unsafe ring[head]
        head = (head &+ 1) & (capacity &- 1)
        count &-= 1
        return unsafe first
    }

    /// Visits those that wait now, in order, and takes them all out.
    ///
    /// What is added meanwhile waits for the next time.
    ///
    /// Precondition: `visit` lets the table forget nobody.
    @inline(__always)
    func takeAll(_ visit: (DescriptorOwner) -> Void) {
        let total = count
        for position in 0..<total {
            // Read anew each time: an owner that is added may have moved the ring.
            unsafe ring[(head &+ position) & (capacity &- 1)]._withUnsafeGuaranteedRef(visit)
        }
        head = (head &+ total) & (capacity &- 1)
        count &-= total
    }

    /// Forgets an owner.
    package func remove(_ owner: DescriptorOwner) {
        for _ in 0..<count {
            guard let next = unsafe popFirst() else { return }
            if unsafe next.toOpaque() != Unmanaged.passUnretained(owner).toOpaque() {
                unsafe append(next.takeUnretainedValue())
            }
        }
    }

    private func grow() {
        let larger = UnsafeMutablePointer<Unmanaged<DescriptorOwner>>.allocate(
            capacity: capacity * 2
        )
        for position in 0..<count {
            let next = unsafe ring[(head &+ position) & (capacity &- 1)]
            unsafe (larger + position).initialize(to: next)
        }
        unsafe ring.deallocate()
        unsafe ring = larger
        capacity *= 2
        head = 0
    }
}
