/// Bytes that a peer sent, owned by whoever holds the value.
///
/// Its end gives the memory back.
///
/// It may cross threads and suspension points by move. Write it to a transport to send it without a
/// copy.
///
/// > Thread: Any thread may hold and end it.
/// > Ownership: One owner. While it lives, its pool buffer is not given to the kernel.
@safe public struct ReceivedBytes: ~Copyable, Sendable {
    // Safety: `offset` and `count` lie within the storage, which lives as long as this value.
    /// The memory.
    package let storage: ByteStorage
    /// Where the bytes begin in it.
    package let offset: Int32
    /// How many bytes there are; never zero in `dataReceived`.
    public var byteCount: Int { Int(count) }
    let count: Int32

    /// Takes over the bytes of a leased buffer.
    @inline(__always)
    init(_ lease: consuming BufferLease, slice: BufferSlice, pool: BufferPool) {
        self.storage = ByteStorage(lease, of: pool)
        self.offset = Int32(truncatingIfNeeded: slice.offset)
        self.count = Int32(truncatingIfNeeded: slice.count)
    }

    /// Takes over memory of which the first `byteCount` bytes are filled.
    init(_ storage: consuming ByteStorage, byteCount: Int) {
        precondition(byteCount <= Int(storage.capacity), "the bytes lie within their memory")
        self.storage = storage
        self.offset = 0
        self.count = Int32(truncatingIfNeeded: byteCount)
    }

    /// Copies bytes to the heap.
    package init(copying bytes: UnsafeRawBufferPointer) {
        self.storage = ByteStorage(heapBytes: max(bytes.count, 1))
        self.offset = 0
        self.count = Int32(truncatingIfNeeded: bytes.count)
        if let source = bytes.baseAddress {
            unsafe storage.base.copyMemory(from: source, byteCount: bytes.count)
        }
    }

    /// Lets `body` fill a heap block.
    init<Failure: Error>(
        heapCapacity capacity: Int,
        initializingWith body: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(capacity >= 0, "a block has no less than no bytes")
        let storage = ByteStorage(heapBytes: max(capacity, 1))
        // Safety: the span ends with this block, and its storage does not move.
        let block = unsafe UnsafeMutableRawBufferPointer(start: storage.base, count: capacity)
        var span = unsafe OutputRawSpan(buffer: block, initializedCount: 0)
        try body(&span)
        self.count = Int32(unsafe span.finalize(for: block))
        self.offset = 0
        self.storage = storage
    }

    /// Moves the bytes to the heap, so that the pool buffer is free again.
    package consuming func copiedToHeap() -> ReceivedBytes {
        guard storage.isPooled else { return self }
        let start = unsafe UnsafeRawPointer(storage.base) + Int(offset)
        return unsafe ReceivedBytes(
            copying: UnsafeRawBufferPointer(start: start, count: byteCount)
        )
    }

    /// What the bytes pin, in bytes: a whole pool buffer, or their own size for a copy.
    package var pinnedBytes: Int { Int(storage.capacity) }

    /// Calls `body` with the bytes; they are valid during the call.
    public borrowing func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        let start = unsafe UnsafeRawPointer(storage.base) + Int(offset)
        return try unsafe body(RawSpan(_unsafeStart: start, byteCount: byteCount))
    }

    /// Copies the bytes into an array.
    public borrowing func copyToArray() -> [UInt8] {
        let start = unsafe UnsafeRawPointer(storage.base) + Int(offset)
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: byteCount))
    }
}
