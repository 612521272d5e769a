import UringEngine

/// The pool buffers that a `ScriptedDriver` was given, in the order in which it picks them.
///
/// > Thread: On-loop only.
/// > Ownership: A buffer belongs to the driver from `provide` until a completion carries it.
struct ScriptedBuffers {
    /// What an overwritten buffer holds: bytes that no test sends by accident.
    static let fill: UInt8 = 0xDB

    private(set) var region: PoolRegion?
    /// Provided, not yet visible to the kernel.
    private(set) var provided: [BufferID] = []
    /// Visible to the kernel, the next one to be picked first.
    private(set) var published: [BufferID] = []
    private(set) var owned: Set<BufferID> = []

    /// Learns where buffers lie.
    ///
    /// Precondition: the first call.
    mutating func adopt(_ region: PoolRegion) {
        precondition(self.region == nil, "a pool's memory is adopted once")
        self.region = region
    }

    /// Takes a buffer over, and overwrites it when asked to.
    ///
    /// Precondition: it is the pool's.
    mutating func provide(_ buffer: BufferID, overwrites: Bool) {
        guard let region else { preconditionFailure("memory is adopted before it is provided") }
        precondition(
            Int(buffer.rawValue) < region.bufferCount,
            "buffer \(buffer.rawValue) is one of the pool's \(region.bufferCount)"
        )
        precondition(
            owned.insert(buffer).inserted,
            "buffer \(buffer.rawValue) is not provided while the driver owns it"
        )
        provided.append(buffer)
        guard overwrites else { return }
        // Safety: the region's memory is mapped until shutdown, and the buffer is the driver's from
        // here on.
        let memory = unsafe UnsafeMutableRawBufferPointer(
            start: region.address(of: buffer),
            count: region.bufferBytes
        )
        unsafe memory.initializeMemory(as: UInt8.self, repeating: Self.fill)
    }

    /// Makes the provided buffers pickable, and returns how many there were.
    mutating func publish() -> Int {
        let count = provided.count
        published.append(contentsOf: provided)
        provided.removeAll(keepingCapacity: true)
        return count
    }

    /// Picks the next buffer and copies `bytes` into it, as the kernel does for a receive.
    mutating func take(filledWith bytes: [UInt8]) -> BufferID {
        guard let region, let buffer = published.first else {
            preconditionFailure(
                "a delivery needs a published buffer; none is left: script `.noBuffers` instead"
            )
        }
        precondition(
            bytes.count <= region.bufferBytes,
            "a delivery of \(bytes.count) bytes fits a buffer of \(region.bufferBytes)"
        )
        // Safety: the region's memory is mapped until shutdown, and a published buffer is the
        // driver's to write.
        unsafe region.address(of: buffer).copyMemory(from: bytes, byteCount: bytes.count)
        release(buffer)
        return buffer
    }

    /// Gives one published buffer up, wherever it stands.
    ///
    /// Precondition: it is published.
    mutating func release(_ buffer: BufferID) {
        guard let place = published.firstIndex(of: buffer) else {
            preconditionFailure(
                "a completion carries a buffer that was published; \(buffer.rawValue) is not"
            )
        }
        published.remove(at: place)
        owned.remove(buffer)
    }

    /// Gives all up.
    mutating func releaseAll() {
        provided.removeAll()
        published.removeAll()
        owned.removeAll()
    }
}
