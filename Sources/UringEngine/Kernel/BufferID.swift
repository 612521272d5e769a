/// The number of a pool buffer, as the kernel's buffer ring knows it.
///
/// > Thread: Any thread.
package struct BufferID: Hashable, Sendable {
    /// The number, from zero to the pool's count.
    package let rawValue: UInt16

    /// Wraps a buffer number.
    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// No buffer.
    ///
    /// The pool holds at most 32,768, so this number is never one of its own.
    package static let none = BufferID(rawValue: .max)
}

/// A run of bytes inside one pool buffer.
///
/// > Thread: Any thread.
package struct BufferSlice: Hashable, Sendable {
    /// The buffer.
    package let buffer: BufferID
    /// Where the run begins, in bytes.
    package let offset: UInt32
    /// How long it is, in bytes.
    package let count: UInt32

    /// Names a run of bytes.
    package init(buffer: BufferID, offset: UInt32, count: UInt32) {
        self.buffer = buffer
        self.offset = offset
        self.count = count
    }
}

/// The memory that a pool offers its driver: `bufferCount` buffers of `bufferBytes` each, from
/// `base` on.
///
/// > Ownership: The pool owns the memory; it stays mapped until the driver has shut down.
@safe package struct PoolRegion {
    // Safety: the pool that made the region outlives every use of it.
    /// The first byte of buffer 0.
    package let base: UnsafeMutableRawPointer
    /// The size of one buffer, in bytes.
    package let bufferBytes: Int
    /// How many buffers there are.
    package let bufferCount: Int

    /// Describes a region.
    package init(base: UnsafeMutableRawPointer, bufferBytes: Int, bufferCount: Int) {
        unsafe self.base = base
        self.bufferBytes = bufferBytes
        self.bufferCount = bufferCount
    }

    /// Lets a driver adopt the pool, or not.
    ///
    /// - Throws: an error of `.registerBuffers` for a pool that buffer ids cannot number.
    package func checkNumbers() throws(IOError) {
        guard (1...32_768).contains(bufferCount), (1...Int(Int32.max)).contains(bufferBytes) else {
            throw IOError(
                .registerBuffers,
                reason: .invalidArgument,
                detail: "a pool has 1 to 32768 buffers; got \(bufferCount) of \(bufferBytes) bytes"
            )
        }
    }

    /// The first byte of one buffer.
    ///
    /// Safety: the pointer lives as long as the region stays mapped.
    package func address(of buffer: BufferID) -> UnsafeMutableRawPointer {
        unsafe base + Int(buffer.rawValue) &* Self.strideBytes(bufferBytes)
    }

    /// How far the beginnings of two neighbours lie apart: the size, but in a build with fences whole
    /// pages, since less cannot be protected.
    @inline(__always)
    package static func strideBytes(_ bufferBytes: Int) -> Int {
        #if URINGCORE_FENCED_POOL
        MemoryMap.roundedToPages(bufferBytes)
        #else
        bufferBytes
        #endif
    }
}
