internal import Glibc

/// Bytes in order: in at the end, out at the front.
///
/// > Thread: On the simulation's thread only.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var head = 0

    var count: Int { bytes.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: [UInt8]) {
        if head == bytes.count { removeAll() }
        bytes += more
    }

    /// Takes the first `countMax` out, or all when there are fewer.
    mutating func take(_ countMax: Int) -> [UInt8] {
        let taken = Array(bytes[head..<(head + min(countMax, count))])
        head += taken.count
        if head > 65_536 {
            bytes.removeFirst(head)
            head = 0
        }
        return taken
    }

    /// Moves the first `byteCount` to memory.
    mutating func move(_ byteCount: Int, to memory: UnsafeMutableRawPointer) {
        let taken = take(byteCount)
        // Safety: the caller's memory has room for as many.
        unsafe memory.copyMemory(from: taken, byteCount: taken.count)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        head = 0
    }
}
