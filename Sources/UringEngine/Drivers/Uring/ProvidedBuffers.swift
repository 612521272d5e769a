internal import CUring

/// The ring through which pool buffers are handed to the kernel (IORING_REGISTER_PBUF_RING, Linux
/// 5.19).
///
/// > Thread: On-loop only.
/// > Ownership: It owns the ring's pages, not the buffers. `unregister` comes before `deinit`,
/// > after the last operation.
@safe final class ProvidedBuffers {
    /// The group that receives name.
    ///
    /// One ring has one pool.
    static let group: UInt16 = 0

    // Safety: `words` is the start of `pages`, which this object keeps mapped.
    let words: UnsafeMutablePointer<io_uring_buf_ring>
    /// How many buffers it holds at once, a power of two.
    let entryCount: Int
    private let pages: MemoryMap

    /// Maps and registers a ring.
    ///
    /// - Throws: EINVAL where the kernel has none, ENOMEM where it does not fit.
    init(in ring: UringRing, entryCount: Int) throws(IOError) {
        precondition(
            (1...32_768).contains(entryCount) && entryCount & (entryCount - 1) == 0,
            "a buffer ring has a power of two of entries, 32,768 at most"
        )
        pages = try MemoryMap(byteCount: entryCount * MemoryLayout<io_uring_buf>.stride)
        // Safety: the pages are as large as the entries need; the kernel's form of them is this
        // structure.
        unsafe words = pages.base.assumingMemoryBound(to: io_uring_buf_ring.self)
        self.entryCount = entryCount
        try register(in: ring)
    }

    /// Forgets every buffer: registers the same pages anew.
    ///
    /// Precondition: no operation uses the group.
    func reset(in ring: UringRing) throws(IOError) {
        unregister(from: ring)
        // Safety: the kernel has let go of the pages; the tail lies in them (see
        // cu_provide_buffer).
        unsafe cu_reset_buffers(words)
        try register(in: ring)
    }

    /// Takes the ring away from the kernel.
    func unregister(from ring: UringRing) {
        // Safety: both structures live as long as their objects.
        _ = unsafe io_uring_unregister_buf_ring(ring.raw, Int32(Self.group))
    }

    private func register(in ring: UringRing) throws(IOError) {
        var registration = io_uring_buf_reg()
        registration.ring_addr = unsafe UInt64(UInt(bitPattern: words))
        registration.ring_entries = UInt32(entryCount)
        registration.bgid = Self.group
        // Safety: the kernel reads the registration during the call and pins the pages it names.
        let result = unsafe io_uring_register_buf_ring(ring.raw, &registration, 0)
        guard result >= 0 else {
            let errno = Errno(result: result)
            let words = SetupFailure.denial(errno, of: .register) ?? "buffer ring"
            throw IOError(.setUpRing, errno: errno, detail: words)
        }
    }
}

/// The driver's view of the pool: what is the kernel's, and what is to be published next.
///
/// It is a plain value beside the driver's other fields, so that a receive reaches it without
/// another object.
///
/// > Thread: On-loop only.
@safe struct BufferSupply {
    // Safety: `words` and `baseAddress` belong to ProvidedBuffers and to the pool, both of which
    // outlive the driver's last use. They are nil and zero only before a pool is adopted, when
    // `entryCount` lets nothing through.
    private let words: UnsafeMutablePointer<io_uring_buf_ring>?
    private let baseAddress: UInt
    private let entryMask: UInt16
    private let entryCount: Int
    /// The size of one buffer, in bytes.
    private let bufferBytes: Int
    /// How many buffers the pool has.
    private let bufferCount: Int
    /// Provided since the last `publish`.
    private var unpublished: UInt16 = 0

    /// Has nothing, before a pool is adopted.
    init() {
        unsafe words = nil
        (baseAddress, entryMask, entryCount, bufferBytes, bufferCount) = (0, 0, 0, 0, 0)
    }

    /// Joins a ring and a pool.
    init(_ buffers: ProvidedBuffers, _ region: PoolRegion) {
        unsafe words = buffers.words
        baseAddress = unsafe UInt(bitPattern: region.base)
        entryMask = UInt16(truncatingIfNeeded: buffers.entryCount - 1)
        entryCount = buffers.entryCount
        bufferBytes = region.bufferBytes
        bufferCount = region.bufferCount
    }

    /// Writes entries behind those that are published.
    @inline(__always)
    mutating func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        precondition(
            buffers.count <= entryCount,
            "the kernel is given at most as many buffers as its ring holds"
        )
        var offset = unpublished
        let (count, bytes) = (bufferCount, UInt(bitPattern: bufferBytes))
        let stride = UInt(bitPattern: PoolRegion.strideBytes(bufferBytes))
        for position in 0..<buffers.count {
            let buffer = unsafe buffers[position]
            precondition(Int(buffer.rawValue) < count, "a buffer of the adopted pool is provided")
            let address = baseAddress &+ UInt(buffer.rawValue) &* stride
            unsafe cu_provide_buffer(
                words,
                UnsafeMutableRawPointer(bitPattern: address),
                UInt32(truncatingIfNeeded: bytes),
                buffer.rawValue,
                entryMask,
                offset
            )
            offset &+= 1
        }
        unpublished = offset
    }

    /// Makes the entries visible with one release store.
    @inline(__always)
    mutating func publish() {
        guard unpublished != 0 else { return }
        unsafe cu_publish_buffers(words, unpublished)
        unpublished = 0
    }

    /// Holds the kernel to its contract for a completion that carries a buffer.
    @inline(__always)
    func check(_ completion: Completion) {
        precondition(
            Int(completion.bufferNumber.rawValue) < bufferCount,
            "the kernel returns a buffer of this pool"
        )
        precondition(
            Int(completion.result) <= bufferBytes,
            "the kernel writes no more than the buffer holds"
        )
    }
}
