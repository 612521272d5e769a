/// Keeps the buffer pools of all shards within a part of the control group's memory.
///
/// > Thread: Any thread.
struct PoolFit {
    /// The pools may take this part of the limit: the rest is for sockets, queues and the program.
    static let share = 4
    /// Fewer buffers than this starve any server: then the limit is the operator's to raise.
    static let bufferCountMin = 16

    private let isCountGiven: Bool

    /// A count that the operator or the program gave is left alone.
    init(_ configuration: Configuration) {
        isCountGiven =
            configuration.isSet(.bufferCount)
            || configuration.loop.bufferCount != LoopOptions().bufferCount
    }

    /// Halves the number of buffers until the pools fit.
    ///
    /// - Returns: why it was changed; nil when it was not.
    func settle(in loop: inout LoopOptions, memory: ControlGroupLimits.Memory?) -> String? {
        guard let memory, !isCountGiven else { return nil }
        let before = loop.bufferCount
        while loop.bufferCount / 2 >= Self.bufferCountMin, Self.exceeds(memory, loop) {
            loop.bufferCount /= 2
        }
        guard loop.bufferCount != before else { return nil }
        return "\(loop.bufferCount) a shard instead of \(before): the pools of \(loop.loopCount) "
            + "shards keep to a quarter of \(memory.byteCount) bytes, in \(memory.source)"
    }

    /// In floating point: a configuration made by hand may hold any numbers.
    private static func exceeds(_ memory: ControlGroupLimits.Memory, _ loop: LoopOptions) -> Bool {
        let pools = Double(loop.loopCount) * Double(loop.bufferBytes) * Double(loop.bufferCount)
        return pools > Double(memory.byteCount) / Double(share)
    }
}
