/// The place that a driver copies completions into, so that nothing is called while the queue is
/// being read.
///
/// > Thread: On-loop only.
/// > Ownership: The loop owns it; its capacity is fixed, a driver fills at most that many.
@safe package struct CompletionBatch: ~Copyable {
    // Safety: allocated here, freed in deinit, indexed only below `count` or `capacity`.
    private let storage: UnsafeMutablePointer<Completion>
    /// The most completions it takes at once.
    package let capacity: Int
    /// How many it holds now.
    package private(set) var count = 0

    /// Reserves room for `capacity` completions.
    package init(capacity: Int) {
        self.capacity = capacity
        unsafe self.storage = .allocate(capacity: capacity)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// How many more fit.
    package var room: Int { capacity &- count }

    /// Adds one.
    ///
    /// Precondition: there is room.
    package mutating func append(_ completion: Completion) {
        precondition(count < capacity, "a driver fills at most the batch's room")
        unsafe (storage + count).initialize(to: completion)
        count &+= 1
    }

    /// Lets a driver write completions in place.
    ///
    /// - Parameter write: gets the first free place and how many there are; returns how many it
    ///   filled.
    @inline(__always)
    package mutating func fill(_ write: (UnsafeMutablePointer<Completion>, Int) -> Int) {
        let added = unsafe write(storage + count, room)
        precondition(added <= room, "a driver fills at most the batch's room")
        count &+= added
    }

    /// The completion at `position`.
    package subscript(position: Int) -> Completion {
        assert(position < count, "only what was appended can be read")
        return unsafe storage[position]
    }

    /// Forgets all.
    package mutating func removeAll() {
        count = 0
    }
}
