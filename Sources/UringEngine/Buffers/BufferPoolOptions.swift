/// The shape of a buffer pool.
///
/// > Thread: Any thread.
package struct BufferPoolOptions: Hashable, Sendable {
    /// The most buffers a pool can have: what one provided-buffer ring takes.
    package static let buffersMax = 32_768

    /// The size of one buffer, in bytes.
    package var bufferBytes: Int
    /// How many buffers.
    package var bufferCount: Int
    /// The memory shall be locked; failing to is not fatal here.
    package var isLockWanted: Bool

    /// Describes a pool: 256 buffers of 16 KiB unless told otherwise.
    package init(bufferBytes: Int = 16_384, bufferCount: Int = 256, isLockWanted: Bool = false) {
        precondition(bufferBytes >= 64, "a buffer has at least 64 bytes")
        precondition((1...Self.buffersMax).contains(bufferCount), "a pool has 1 to 32,768 buffers")
        self.bufferBytes = bufferBytes
        self.bufferCount = bufferCount
        self.isLockWanted = isLockWanted
    }
}
