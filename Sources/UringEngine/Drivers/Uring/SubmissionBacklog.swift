internal import CUring

/// Entries that found the submission queue full while the kernel took none (EAGAIN, EBUSY): kept in
/// order, never dropped.
///
/// > Thread: On-loop only.
/// > Ownership: It owns its storage; an entry's address is good until the next `append`.
@safe struct SubmissionBacklog: ~Copyable {
    // Safety: `storage` has room for `capacity` entries, of which `first..<end` are initialized;
    // deinit frees it.
    private var storage: UnsafeMutablePointer<io_uring_sqe>
    private var capacity = 64
    private var first = 0
    private var end = 0

    /// Starts empty, with room for 64 entries.
    init() {
        unsafe storage = .allocate(capacity: capacity)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// No entry waits.
    var isEmpty: Bool { first == end }

    /// Adds an entry and returns its place.
    mutating func append() -> UnsafeMutablePointer<io_uring_sqe> {
        if end == capacity { grow() }
        defer { end += 1 }
        let place = unsafe storage + end
        unsafe place.initialize(to: io_uring_sqe())
        return unsafe place
    }

    /// Moves entries to a ring's queue, oldest first, until one of the two is done.
    mutating func move(to ring: UringRing) {
        while first < end, let entry = unsafe cu_next_entry(ring.raw) {
            unsafe entry.pointee = storage[first]
            first += 1
        }
        if isEmpty {
            first = 0
            end = 0
        }
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<io_uring_sqe>.allocate(capacity: capacity * 2)
        unsafe larger.moveInitialize(from: storage, count: end)
        unsafe storage.deallocate()
        unsafe storage = larger
        capacity *= 2
    }
}
