/// Memory for reads and writes of files: a pool of its own, made when it is first needed.
///
/// The pool of receives will not do: all of it is the kernel's, which picks among it, and its
/// buffers are small for files.
// Safety: a buffer is lent to the storage that is returned.
extension EventLoop {
    /// Lends a buffer of the pool, or makes a block of its own where the pool has none free or none
    /// so large; page-aligned either way.
    package func fileStorage(byteCount: Int) -> ByteStorage {
        guard byteCount <= options.fileBufferBytes, let pool = filePoolOrNil() else {
            return ByteStorage(heapBytes: byteCount, alignment: MemoryMap.pageBytes)
        }
        if pool.freeBufferCount == 0 { pool.collectReturns() }
        guard let buffer = pool.takeForKernel() else {
            return ByteStorage(heapBytes: byteCount, alignment: MemoryMap.pageBytes)
        }
        return ByteStorage(pool.lease(buffer), of: pool)
    }

    private func filePoolOrNil() -> BufferPool? {
        if let filePool { return filePool }
        guard options.fileBufferCount > 0, !hasTriedFilePool else { return nil }
        hasTriedFilePool = true
        let shape = BufferPoolOptions(
            bufferBytes: options.fileBufferBytes,
            bufferCount: options.fileBufferCount,
            isLockWanted: false
        )
        do throws(IOError) {
            let pool = try BufferPool(shape, loop: poolIdentity, waker: waker)
            if options.usesFixedBuffers { reportFixed(driver.base.registerFileMemory(pool.region)) }
            filePool = pool
        } catch {
            // Without memory for a pool each read has a block of its own, and says so itself.
            options.log("files go without a pool of buffers: \(error)")
        }
        return filePool
    }

    /// Reads and writes go on without it: a line for whoever asked for it.
    private func reportFixed(_ failure: Errno?) {
        guard let failure, failure != .notSupported else { return }
        options.log("the buffers of files are not registered: \(failure)")
    }
}
