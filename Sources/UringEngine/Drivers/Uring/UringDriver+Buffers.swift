// Safety: only the driver's own variables are marked here (see the type).
extension UringDriver {
    /// How many buffers the kernel, or the driver in its place, can hold at once.
    package var providedBuffersMax: Int { ring.sizes.providedEntries }

    /// Learns the pool's memory.
    ///
    /// - Throws: an error of `.registerBuffers` for a pool that buffer ids cannot number.
    package func adopt(_ region: PoolRegion) throws(IOError) {
        precondition(!isPoolAdopted, "a driver adopts one pool, once")
        try region.checkNumbers()
        isPoolAdopted = true
        if let buffers { unsafe supply = BufferSupply(buffers, region) }
        unsafe budgetSlackBytes = region.bufferBytes - 1
        emulation.adopt(region)
    }

    /// Hands buffers over; the kernel sees them after `publish`.
    package func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        if receiveMode == .emulated {
            for position in 0..<buffers.count {
                let buffer = unsafe buffers[position]
                emulation.provide(buffer)
            }
        } else {
            unsafe supply.provide(buffers)
        }
    }

    /// Makes the provided buffers visible with one release store; does nothing when there are none.
    package func publish() {
        unsafe supply.publish()
    }
}
