import Glibc

/// An endless stream of bytes whose every position is known: byte-exact where a checksum would
/// only say that something is wrong.
///
/// Its period is a prime, so that a buffer that is lost, doubled or moved never fits.
struct Pattern: Sendable {
    private static let period = 65_521
    private static let chunkBytes = 65_536
    private static let table = makeTable()

    private let seed: Int

    /// Streams of different seeds differ from the first byte on.
    init(seed: Int = 0) {
        self.seed = seed &* 7_919
    }

    private static func makeTable() -> [UInt8] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        let once = (0..<period).map { _ -> UInt8 in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
        return Array((once + once + once).prefix(period + chunkBytes))
    }

    /// Calls `body` with the bytes from `position` on, a chunk at a time.
    private func chunks(
        at position: Int,
        count: Int,
        _ body: (UnsafeRawBufferPointer, _ offset: Int) -> Bool
    ) -> Bool {
        Self.table.withUnsafeBytes { table in
            var offset = 0
            while offset < count {
                let start = (seed + position + offset) % Self.period
                let size = min(Self.chunkBytes, count - offset)
                let chunk = UnsafeRawBufferPointer(rebasing: table[start..<start + size])
                guard body(chunk, offset) else { return false }
                offset += size
            }
            return true
        }
    }

    /// The bytes from `position` on.
    func bytes(at position: Int = 0, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        _ = chunks(at: position, count: count) { chunk, _ in
            bytes.append(contentsOf: chunk)
            return true
        }
        return bytes
    }

    /// These are the bytes from `position` on.
    func matches(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Bool {
        guard let first = bytes.baseAddress else { return true }
        return chunks(at: position, count: bytes.count) { chunk, offset in
            chunk.baseAddress.map { memcmp($0, first + offset, chunk.count) == 0 } ?? false
        }
    }
}
