internal import CUring
internal import UringEngine

/// Gives the heap's free memory back to the system once a burst is over.
///
/// glibc keeps freed blocks below the end of its heaps: after 1,000 peers that had not read, 276 of 295 MiB
/// stayed, and the next such hour came on top. Most bytes lie in pools, which do not change; what is copied
/// because it has to wait does.
///
/// > Thread: The supervisor's watch thread.
struct HeapTrim {
    /// Less than this is not worth a trim, which locks one heap after the other for milliseconds.
    private static let bytesMin = 32 << 20

    private var highest = 0

    /// Looks how much is in use, and trims when it has fallen far.
    mutating func check() {
        // malloc_trim(3): free pages inside the heaps are given back too, since glibc 2.8.
        if isDue(HeapBytes.count) { cu_trim_heap() }
    }

    /// Whether bytes in use have fallen by half, and by enough, since they were highest.
    mutating func isDue(_ count: Int) -> Bool {
        highest = max(highest, count)
        guard highest - count >= Self.bytesMin, count <= highest / 2 else { return false }
        highest = count
        return true
    }
}
