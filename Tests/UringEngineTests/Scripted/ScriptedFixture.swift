import Glibc
import UringEngine
import UringTesting

/// Tokens of distinct slots, as an operation table hands them out.
struct ScriptedTokens {
    private var slotsGiven: UInt32 = 0

    mutating func next(_ kind: OperationKind) -> OperationToken {
        slotsGiven += 1
        return OperationToken(
            generation: .first,
            kind: kind,
            slot: SlotIndex(rawValue: slotsGiven)
        )
    }
}

/// A small pool's memory, mapped as long as this lives.
struct ScriptedPool: ~Copyable {
    private let map: MemoryMap
    let region: PoolRegion

    init(bufferCount: Int = 4, bufferBytes: Int = 64) throws {
        self.map = try MemoryMap(byteCount: bufferCount * PoolRegion.strideBytes(bufferBytes))
        self.region = PoolRegion(
            base: map.base,
            bufferBytes: bufferBytes,
            bufferCount: bufferCount
        )
    }

    /// What the first bytes of a buffer hold.
    func bytes(of buffer: BufferID, count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: region.address(of: buffer), count: count))
    }
}

/// Memory at a fixed address, as a send needs it.
struct ScriptedBytes: ~Copyable {
    let memory: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8]) {
        self.memory = .allocate(byteCount: bytes.count, alignment: 1)
        memory.copyBytes(from: bytes)
    }

    deinit {
        memory.deallocate()
    }

    var readOnly: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }
}

extension ScriptedDriver {
    /// Adopts the memory and publishes all its buffers.
    func publishAll(of region: PoolRegion) throws {
        try adopt(region)
        for number in 0..<region.bufferCount { provide(BufferID(rawValue: UInt16(number))) }
        publish()
    }

    /// Copies every unread completion out.
    func reapAll() -> [Completion] {
        var batch = CompletionBatch(capacity: 64)
        reap(into: &batch)
        return (0..<batch.count).map { batch[$0] }
    }
}

let scriptedLoopback = SocketAddress.ipv4(0x7F00_0001, port: 0)
