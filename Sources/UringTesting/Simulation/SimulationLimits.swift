/// How large things are in a simulation.
///
/// Small, so that everything is full soon.
///
/// > Thread: Any thread.
public struct SimulationLimits: Hashable, Sendable {
    /// Bytes that a socket holds in each direction, at least.
    public var socketBufferMin = 512
    /// Bytes that a socket holds in each direction, at most; each socket draws its own.
    public var socketBufferMax = 16_384
    /// Descriptors that the server may have open; one more is EMFILE.
    public var descriptorsMax = 1_024
    /// The end of a stream comes with an empty pool buffer, as some kernels do it.
    public var givesBufferForEnd = false
    /// Pool buffers that a shard's kernel can hold at once.
    public var providedBuffersMax = 32_768
    /// Bytes that a file may have; a write beyond is ENOSPC.
    public var fileBytesMax = 1 << 20
    /// Events that a failure shows.
    public var traceMax = 100
    /// Steps that a simulation may take before it counts as hanging.
    public var stepsMax = 1_000_000

    /// The defaults.
    public init() {}
}
