internal import Glibc
import UringEngine

/// The pool buffers that a simulated kernel owns, in the order in which it picks them.
///
/// What it owns is filled with a pattern: who kept a buffer reads that, and who writes to one is
/// found when it is picked.
///
/// > Thread: On the simulation's thread only.
@safe struct SimulatedBuffers {
    // Safety: the region stays mapped until the driver was shut down; the kernel owns what is in
    // `owned`, and nobody else touches that.
    private static let fill: UInt8 = 0xDB

    private var region: PoolRegion?
    private var pattern: [UInt8] = []
    private var provided: [BufferID] = []
    private var published: [BufferID] = []
    private var owned: [Bool] = []

    var bufferBytes: Int { region?.bufferBytes ?? 0 }
    var ownedCount: Int { owned.count { $0 } }

    mutating func adopt(_ region: PoolRegion) {
        self.region = region
        owned = Array(repeating: false, count: region.bufferCount)
        pattern = Array(repeating: Self.fill, count: region.bufferBytes)
    }

    func address(of buffer: BufferID) -> UnsafeMutableRawPointer {
        guard let region else { preconditionFailure("memory is adopted before it is used") }
        return unsafe region.address(of: buffer)
    }

    /// Takes a buffer over.
    ///
    /// - Returns: false when the kernel owns it already, or it is none of the pool's.
    mutating func provide(_ buffer: BufferID) -> Bool {
        let place = Int(buffer.rawValue)
        guard owned.indices.contains(place), !owned[place] else { return false }
        owned[place] = true
        provided.append(buffer)
        unsafe address(of: buffer).copyMemory(from: pattern, byteCount: pattern.count)
        return true
    }

    mutating func publish() -> Int {
        defer { provided.removeAll(keepingCapacity: true) }
        published += provided
        return provided.count
    }

    /// Picks the next buffer, and says whether it is as the kernel left it.
    mutating func take() -> (BufferID, isUntouched: Bool)? {
        guard !published.isEmpty else { return nil }
        let buffer = published.removeFirst()
        owned[Int(buffer.rawValue)] = false
        return (buffer, unsafe memcmp(address(of: buffer), pattern, pattern.count) == 0)
    }

    mutating func releaseAll() {
        provided = []
        published = []
        owned = owned.map { _ in false }
    }
}
