package import UringEngine

extension ScriptedDriver {
    /// Learns the pool's memory.
    ///
    /// - Throws: what `failNext(.adopt, with:)` scripted.
    package func adopt(_ region: PoolRegion) throws(IOError) {
        try throwFailure(of: .adopt)
        buffers.adopt(region)
        journal.append(.adopted(bufferCount: region.bufferCount))
    }

    /// Takes buffers over.
    ///
    /// Precondition: it does not own them, and holds at most `providedBuffersMax` then.
    package func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        // Safety: the list is read during the call.
        for position in 0..<buffers.count {
            let buffer = unsafe buffers[position]
            take(buffer)
        }
    }

    private func take(_ buffer: BufferID) {
        precondition(
            buffers.owned.count < providedBuffersMax,
            "at most \(providedBuffersMax) buffers are provided at once"
        )
        buffers.provide(buffer, overwrites: overwritesProvidedBuffers)
        journal.append(.provided(buffer))
    }

    /// Makes the provided buffers ready for deliveries.
    package func publish() {
        journal.append(.published(count: buffers.publish()))
    }

    /// The buffers that the driver owns, provided and published.
    package var ownedBuffers: Set<BufferID> { buffers.owned }

    /// Those that were provided since the last `publish`, oldest first.
    package var providedBuffers: [BufferID] { buffers.provided }

    /// Those that a delivery can take, in the order in which it takes them.
    package var publishedBuffers: [BufferID] { buffers.published }
}
