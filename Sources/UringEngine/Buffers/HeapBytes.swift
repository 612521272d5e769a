internal import Synchronization

/// How much of the heap the bytes of all loops hold: copies of what had to wait, and what programs write.
///
/// > Thread: Any thread.
package enum HeapBytes {
    // Relaxed: a figure of its own, which orders nothing.
    private static let inUse = Atomic<Int>(0)

    /// Bytes in use now.
    package static var count: Int { inUse.load(ordering: .relaxed) }

    /// A block was allocated, or with a negative count freed.
    static func add(_ byteCount: Int) {
        inUse.wrappingAdd(byteCount, ordering: .relaxed)
    }
}
