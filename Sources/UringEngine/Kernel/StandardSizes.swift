/// The sizes that a loop and its streams have when nobody says otherwise.
///
/// In a tiny build all are as small as they can be, so that what is rare becomes common: full queues,
/// an empty pool, short reads, a generation that wraps (docs/TESTING.md).
///
/// > Thread: Any thread.
package enum StandardSizes {
    #if URINGCORE_TINY
    /// Entries of the submission queue.
    package static let ringEntries = 4
    /// Entries of the completion queue.
    package static let completionEntries = 8
    /// The size of one pool buffer, in bytes.
    package static let bufferBytes = 64
    /// Buffers in the pool.
    package static let bufferCount = 4
    /// Completions dispatched in one tick.
    package static let completionsPerTickMax = 1
    /// Bits of a token's generation.
    package static let generationBits: UInt32 = 2
    /// Bytes waiting to be sent above which a writer shall pause.
    package static let writeHighWatermark = 1_024
    /// Bytes waiting to be sent at or below which it goes on.
    package static let writeLowWatermark = 256
    #else
    /// Entries of the submission queue.
    package static let ringEntries = 256
    /// Entries of the completion queue.
    package static let completionEntries = 4_096
    /// The size of one pool buffer, in bytes.
    package static let bufferBytes = 16_384
    /// Buffers in the pool.
    package static let bufferCount = 256
    /// Completions dispatched in one tick.
    package static let completionsPerTickMax = 256
    /// Bits of a token's generation.
    package static let generationBits: UInt32 = 24
    /// Bytes waiting to be sent above which a writer shall pause.
    package static let writeHighWatermark = 262_144
    /// Bytes waiting to be sent at or below which it goes on.
    package static let writeLowWatermark = 65_536
    #endif

    /// The build is a tiny one.
    package static var areTiny: Bool { generationBits < 24 }
}
