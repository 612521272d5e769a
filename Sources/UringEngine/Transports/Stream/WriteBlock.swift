/// A run of bytes that waits to be sent, with the memory it lies in.
///
/// > Thread: On-loop only.
/// > Ownership: The memory is given back when the block ends, after the send's terminal completion.
@safe struct WriteBlock: ~Copyable {
    // Laid out as `ReceivedBytes`, so that taking them over moves words and computes nothing.
    // Safety: the run of `length` bytes from `start` lies within the storage, which lives as long
    // as this value.
    private var storage: ByteStorage
    private var start: Int32
    private var length: Int32

    /// Takes over received bytes, without a copy.
    init(_ bytes: consuming ReceivedBytes) {
        self.start = bytes.offset
        self.length = bytes.count
        self.storage = bytes.storage
    }

    /// Makes an empty heap block with room for `capacity` bytes.
    init(capacity: Int) {
        self.storage = ByteStorage(heapBytes: capacity)
        self.start = 0
        self.length = 0
    }

    /// Ends on a loop's own thread; `own` is that loop's pool.
    @inline(__always)
    consuming func end(onLoopOf own: Unmanaged<BufferPool>) {
        unsafe storage.end(onLoopOf: own)
    }

    /// Bytes still to be sent.
    var count: Int { Int(length) }

    /// What it pins, in bytes.
    var pinnedBytes: Int { Int(storage.capacity) }

    /// Bytes that can be added; a pool buffer takes none.
    var room: Int { storage.isPooled ? 0 : Int(storage.capacity &- start &- length) }

    /// It uses less than a quarter of a pool buffer: worth copying when it must wait.
    var isWasteful: Bool { storage.isPooled && count &* 4 < pinnedBytes }

    /// The bytes still to be sent; valid until the block ends or is changed.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: storage.base + Int(start), count: count)
    }

    /// Adds as many bytes as there is room for.
    ///
    /// - Returns: how many.
    mutating func appendFitting(_ source: UnsafeRawBufferPointer) -> Int {
        let fitting = min(room, source.count)
        if fitting > 0 { unsafe append(UnsafeRawBufferPointer(rebasing: source[..<fitting])) }
        return fitting
    }

    /// Adds bytes at the end.
    ///
    /// Precondition: there is room.
    mutating func append(_ source: UnsafeRawBufferPointer) {
        precondition(source.count <= room, "a block takes what it has room for")
        guard let first = source.baseAddress else { return }
        unsafe (storage.base + Int(start &+ length)).copyMemory(
            from: first,
            byteCount: source.count
        )
        length &+= Int32(truncatingIfNeeded: source.count)
    }

    /// Forgets bytes that were sent.
    mutating func consume(_ byteCount: Int) {
        precondition(byteCount <= count, "no more is sent than was queued")
        start &+= Int32(truncatingIfNeeded: byteCount)
        length &-= Int32(truncatingIfNeeded: byteCount)
    }
}
