/// Completions that `reap` has not copied yet, in the order in which they came about.
///
/// It grows by doubling and never shrinks: after the first busy turns nothing is allocated.
///
/// > Thread: On-loop only.
@safe struct CompletionQueue: ~Copyable {
    // Safety: `capacity` places, a power of two, of which the `count` from `head` on, modulo the
    // capacity, are initialized. Completions are trivial: no place is ever deinitialized.
    private var storage: UnsafeMutablePointer<Completion>
    private var capacity: Int
    private var head = 0
    /// How many there are.
    private(set) var count = 0

    /// Makes room for `capacity` completions, a power of two.
    init(capacity: Int = 512) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a power of two")
        self.capacity = capacity
        unsafe storage = .allocate(capacity: capacity)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// Adds one behind the last.
    @inline(__always)
    mutating func append(_ completion: Completion) {
        if count == capacity { grow() }
        unsafe (storage + (head &+ count) & (capacity &- 1)).initialize(to: completion)
        count &+= 1
    }

    /// Takes the first; nil when there is none.
    mutating func popFirst() -> Completion? {
        guard count > 0 else { return nil }
        let completion = unsafe storage[head]
        drop(1)
        return completion
    }

    /// Moves as many as fit.
    ///
    /// - Returns: how many.
    mutating func move(into batch: inout CompletionBatch) -> Int {
        let moved = min(count, batch.room)
        // In two runs where the end of the storage lies between.
        let firstRun = min(moved, capacity - head)
        unsafe batch.fill { places, _ in
            unsafe places.initialize(from: storage + head, count: firstRun)
            unsafe (places + firstRun).initialize(from: storage, count: moved - firstRun)
            return moved
        }
        drop(moved)
        return moved
    }

    private mutating func drop(_ dropped: Int) {
        head = (head &+ dropped) & (capacity &- 1)
        count &-= dropped
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Completion>.allocate(capacity: 2 * capacity)
        let firstRun = capacity - head
        unsafe larger.initialize(from: storage + head, count: firstRun)
        unsafe (larger + firstRun).initialize(from: storage, count: head)
        unsafe storage.deallocate()
        unsafe storage = larger
        head = 0
        capacity *= 2
    }
}
