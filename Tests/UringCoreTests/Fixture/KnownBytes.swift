import Glibc

/// An endless stream whose every byte is known by its position.
///
/// Its period is a prime, so that a piece that is lost, doubled or moved never fits.
struct KnownBytes: Sendable {
    private static let period = 65_521
    private static let table: [UInt8] = {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        let once = (0..<period).map { _ -> UInt8 in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
        return once + once
    }()

    /// Those from `position` on; at most a period.
    static func bytes(at position: Int, count: Int) -> [UInt8] {
        precondition(count <= period, "a piece is at most a period")
        let start = position % period
        return Array(table[start..<start + count])
    }

    /// These are the bytes from `position` on.
    static func matches(_ bytes: [UInt8], at position: Int) -> Bool {
        // memcmp(3): comparing element by element takes most of a debug build's time.
        bytes.withUnsafeBytes { bytes in
            table.withUnsafeBytes { table in
                stride(from: 0, to: bytes.count, by: period).allSatisfy { offset in
                    let start = (position + offset) % period
                    let count = min(bytes.count - offset, period)
                    let known = UnsafeRawBufferPointer(rebasing: table[start..<start + count])
                    let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
                    guard let known = known.baseAddress, let piece = piece.baseAddress else {
                        return true
                    }
                    return memcmp(known, piece, count) == 0
                }
            }
        }
    }
}

/// Random numbers that a seed repeats.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    // splitmix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
