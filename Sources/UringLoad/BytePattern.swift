internal import Glibc
internal import UringCore

/// The bytes that the connections send, fixed for all time: an echo is checked without keeping what
/// was sent.
///
/// All connections walk around one table of random bytes, each from an origin of its own, and a
/// connection's next message goes on where its last one ended. The table's length is a prime. So
/// what comes back twice, late, or in another place is off by no multiple of it; messages that
/// follow one another differ; and up to 131,063 connections, more than there may be, begin at
/// different bytes.
///
/// > Thread: Any thread.
@safe final class BytePattern: @unchecked Sendable {
    // Sendable: the table is not changed after `init`.
    // Safety: it is allocated in `init` with `period + runBytes` bytes and freed in `deinit`; every
    // view of it ends within a method's call.

    /// The longest run that is had in one piece; table and run together stay in a core's
    /// second-level cache.
    static let runBytes = 65_536

    /// The length of the table.
    let period: Int
    private let originDistance: Int
    private let table: UnsafeMutableRawPointer

    /// Makes the table for messages of one size.
    init(messageBytes: Int) {
        let (first, second) = (131_071, 131_063)
        // Messages of a multiple of the period would all be alike.
        period = messageBytes.isMultiple(of: first) ? second : first
        // The golden section keeps the origins of neighbours far apart.
        originDistance = Int((Double(period) * 0.618_034).rounded())
        unsafe table = .allocate(byteCount: period + Self.runBytes, alignment: 64)
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15  // xorshift64: any seed but 0.
        for place in 0..<period {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            unsafe table.storeBytes(
                of: UInt8(truncatingIfNeeded: state >> 32),
                toByteOffset: place,
                as: UInt8.self
            )
        }
        unsafe (table + period).copyMemory(from: table, byteCount: Self.runBytes)
    }

    deinit { unsafe table.deallocate() }

    /// Where in the table a connection begins.
    func origin(ofConnection number: Int) -> Int { number * originDistance % period }

    /// The place `byteCount` bytes after `place`.
    @inline(__always)
    func place(_ byteCount: Int, after place: Int) -> Int {
        let next = place &+ byteCount
        return next < period ? next : next % period
    }

    /// Calls `body` with the bytes from `place` on, at most `runBytes` of them.
    @inline(__always)
    func withRun(at place: Int, byteCount: Int, _ body: (RawSpan) -> Void) {
        precondition(place < period && byteCount <= Self.runBytes, "a run lies within the table")
        body(unsafe RawSpan(_unsafeStart: table + place, byteCount: byteCount))
    }

    // MARK: Checking

    /// Whether `bytes` are those from `place` on.
    @inline(__always)
    func matches(_ bytes: RawSpan, at place: Int) -> Bool {
        guard bytes.byteCount <= Self.runBytes else { return matchesInRuns(bytes, at: place) }
        return matchesRun(bytes, at: place)
    }

    private func matchesInRuns(_ bytes: RawSpan, at place: Int) -> Bool {
        var (done, place) = (0, place)
        while done < bytes.byteCount {
            let count = min(Self.runBytes, bytes.byteCount - done)
            guard matchesRun(bytes.extracting(done..<(done + count)), at: place) else {
                return false
            }
            place = self.place(count, after: place)
            done += count
        }
        return true
    }

    @inline(__always)
    private func matchesRun(_ bytes: RawSpan, at place: Int) -> Bool {
        precondition(place < period, "a place lies within the table")
        return unsafe bytes.withUnsafeBytes { bytes in
            guard let first = bytes.baseAddress else { return true }
            return unsafe memcmp(first, table + place, bytes.count) == 0
        }
    }

    /// Says what is wrong with bytes that do not match.
    func mismatch(of bytes: RawSpan, at place: Int) -> Mismatch {
        var mismatch = Mismatch()
        for offset in 0..<bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            let expected = byteValue(at: self.place(offset, after: place))
            guard byte != expected else { continue }
            mismatch.wrongBytes += 1
            if mismatch.wrongBytes > 1 { continue }
            (mismatch.offset, mismatch.byte, mismatch.expected) = (offset, byte, expected)
        }
        return mismatch
    }

    private func byteValue(at place: Int) -> UInt8 {
        unsafe table.load(fromByteOffset: place, as: UInt8.self)
    }

    /// Bytes that are not those expected: how many, and the first of them.
    struct Mismatch: Equatable {
        var wrongBytes = 0
        var offset = 0
        var byte: UInt8 = 0
        var expected: UInt8 = 0
    }
}
