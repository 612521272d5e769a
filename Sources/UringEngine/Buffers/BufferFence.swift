#if URINGCORE_FENCED_POOL
internal import Glibc

/// The pages of one pool, closed while nobody may touch them (mprotect(2)).
///
/// Only in builds that are made for it: two system calls a buffer.
///
/// > Thread: Any thread that holds the buffer.
struct BufferFence {
    /// What a buffer holds after its release: neither zero nor text.
    static let pattern: Int32 = 0xDB

    private let region: PoolRegion

    /// Guards the buffers of this region.
    init(_ region: PoolRegion) {
        self.region = region
    }

    /// Overwrites a buffer and closes it.
    ///
    /// A buffer that is closed already is closed again: who gives it back elsewhere closes it first.
    func close(_ buffer: BufferID) {
        open(buffer)
        // Safety: the pages are the buffer's own, and nobody else uses them now.
        unsafe memset(region.address(of: buffer), Self.pattern, region.bufferBytes)
        protect(buffer, PROT_NONE)
    }

    /// Makes a buffer usable again.
    func open(_ buffer: BufferID) {
        protect(buffer, PROT_READ | PROT_WRITE)
    }

    private func protect(_ buffer: BufferID, _ protection: Int32) {
        let byteCount = PoolRegion.strideBytes(region.bufferBytes)
        // Safety: whole pages of the pool's mapping, which outlives every buffer.
        let result = unsafe mprotect(region.address(of: buffer), byteCount, protection)
        precondition(result == 0, "a page of the pool can be protected: \(Errno.current)")
    }
}
#endif
