internal import CUring
internal import Glibc

/// Memory that an operation was given, with a copy of what it held then.
///
/// A changed byte before the terminal completion is a broken rule of the seam.
///
/// > Thread: On the simulation's thread only.
/// > Ownership: Who submitted keeps the memory until the terminal completion, with which this ends.
@safe struct SimulatedMemory {
    // Safety: the contract of `KernelDriver` keeps all of this valid until the terminal completion.
    private let runs: [UnsafeRawBufferPointer]
    private let copies: [[UInt8]]
    let byteCount: Int

    init(_ runs: [UnsafeRawBufferPointer]) {
        unsafe self.runs = runs
        unsafe self.copies = runs.map { unsafe Array($0) }
        self.byteCount = copies.reduce(0) { $0 + $1.count }
    }

    /// Watches a message: its header, its table of runs, and the runs.
    ///
    /// - Returns: all of it, and the runs alone.
    static func message(
        _ message: UnsafeMutablePointer<cu_message>
    ) -> (all: SimulatedMemory, payload: SimulatedMemory) {
        // Safety: a header points to `msg_iovlen` runs (sendmsg(2)).
        let table = unsafe UnsafeBufferPointer(
            start: message.pointee.header.msg_iov,
            count: Int(message.pointee.header.msg_iovlen)
        )
        let payload = unsafe table.map { run in
            unsafe UnsafeRawBufferPointer(start: run.iov_base, count: Int(run.iov_len))
        }
        let header = unsafe UnsafeRawBufferPointer(
            start: message,
            count: MemoryLayout<cu_message>.size
        )
        let all = unsafe SimulatedMemory(payload + [header, UnsafeRawBufferPointer(table)])
        return unsafe (all, SimulatedMemory(payload))
    }

    /// It still holds what it held.
    var isUnchanged: Bool {
        for position in copies.indices {
            let copy = copies[position]
            guard copy.count > 0 else { continue }
            // Safety: see the stored properties; both have `count` bytes.
            guard let start = unsafe runs[position].baseAddress else { return false }
            if unsafe memcmp(start, copy, copy.count) != 0 { return false }
        }
        return true
    }

    /// The bytes as they lie there now, from `offset` on, at most `countMax`.
    ///
    /// Read late, as a kernel does: who lets the memory go too early sends something else.
    func bytes(from offset: Int, countMax: Int) -> [UInt8] {
        var skipped = offset
        var result: [UInt8] = []
        for position in copies.indices where result.count < countMax {
            let count = copies[position].count
            guard skipped < count else {
                skipped -= count
                continue
            }
            let end = min(count, skipped + countMax - result.count)
            // Safety: see the stored properties.
            unsafe result += Array(runs[position][skipped..<end])
            skipped = 0
        }
        return result
    }
}
