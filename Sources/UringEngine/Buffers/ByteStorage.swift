/// A run of memory that ends with its value: a pool buffer, which goes back to its pool, or a heap
/// block, which is freed.
///
/// > Thread: Any thread; on the pool's own loop the way back is a plain push, elsewhere it takes
/// > the pool's lock.
/// > Ownership: One owner. The pool stays mapped while any of its buffers is lent.
@safe package struct ByteStorage: ~Copyable, @unchecked Sendable {
    // Sendable: the memory has one owner at a time, and giving it back is safe from any thread.
    // Safety: a pool buffer is lent to this value until deinit; a heap block is this value's own.
    /// The first byte.
    package let base: UnsafeMutableRawPointer
    /// What it pins, in bytes.
    package let capacity: Int32
    /// The pool buffer, or `.none` for a heap block.
    package let buffer: BufferID
    private let pool: Unmanaged<BufferPool>?

    /// Takes over a leased pool buffer.
    @inline(__always)
    init(_ lease: consuming BufferLease, of pool: BufferPool) {
        let buffer = lease.end()
        unsafe self.base = pool.region.address(of: buffer)
        self.capacity = Int32(truncatingIfNeeded: pool.region.bufferBytes)
        self.buffer = buffer
        unsafe self.pool = .passUnretained(pool)
    }

    /// Allocates a heap block of `byteCount` bytes.
    package init(heapBytes byteCount: Int) {
        precondition(byteCount > 0 && byteCount <= Int32.max, "a block has 1 byte to 2 GiB")
        HeapBytes.add(byteCount)
        unsafe self.base = .allocate(byteCount: byteCount, alignment: 16)
        self.capacity = Int32(byteCount)
        self.buffer = .none
        unsafe self.pool = nil
    }

    /// Allocates a heap block that begins at a multiple of `alignment`, a power of two.
    init(heapBytes byteCount: Int, alignment: Int) {
        precondition(byteCount > 0 && byteCount <= Int32.max, "a block has 1 byte to 2 GiB")
        unsafe self.base = .allocate(byteCount: byteCount, alignment: alignment)
        self.capacity = Int32(byteCount)
        self.buffer = .none
        unsafe self.pool = nil
    }

    deinit {
        if let pool = unsafe pool {
            unsafe pool._withUnsafeGuaranteedRef { $0.takeBack(buffer) }
        } else {
            HeapBytes.add(-Int(capacity))
            unsafe base.deallocate()
        }
    }

    /// Ends on a loop's own thread; `own` is that loop's pool.
    ///
    /// A buffer of another loop's pool takes the way back that any thread may take.
    @inline(__always)
    consuming func end(onLoopOf own: Unmanaged<BufferPool>) {
        guard let pool = unsafe pool, unsafe pool.toOpaque() == own.toOpaque() else {
            _ = consume self
            return
        }
        let buffer = buffer
        discard self
        unsafe pool._withUnsafeGuaranteedRef { $0.free(buffer) }
    }

    /// The memory belongs to a pool.
    package var isPooled: Bool { buffer != .none }
}
