/// The pool's buffers, as receives are given them.
extension EpollDriver {
    /// How many buffers it can hold at once: as many as ids can number.
    package var providedBuffersMax: Int { 32_768 }

    /// Learns the pool's memory.
    ///
    /// - Throws: an error of `.registerBuffers` for a pool that buffer ids cannot number.
    package func adopt(_ region: PoolRegion) throws(IOError) {
        precondition(!isPoolAdopted, "a driver adopts one pool, once")
        try region.checkNumbers()
        isPoolAdopted = true
        supply.adopt(region)
        completionsPerTurnMax = max(4, region.bufferCount / 4)
    }

    /// Hands buffers over; receives see them after `publish`.
    @inline(__always)
    package func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        // Safety: the list is read during the call.
        unsafe supply.provide(buffers)
    }

    /// Lets receives see the provided buffers.
    @inline(__always)
    package func publish() { supply.publish() }
}
