internal import CUring
internal import Glibc

/// Files: one entry an operation, as the ring's kernel has them.
// Safety: as of the other operations: an entry is written before the next one is taken, and what it
// points to is the caller's and stays valid until the terminal completion.
extension UringDriver {
    /// Begins an operation; false where this kernel's rings have none for it.
    package func perform(_ token: OperationToken, _ request: FileRequest) -> Bool {
        guard fileOperations.contains(request.needed) else { return false }
        let word = token.rawValue
        switch request {
        case .open(let path, let flags, let permissions):
            unsafe cu_prepare_open(nextEntry(), path, flags, permissions, word)
        case .status(let query):
            let descriptor = query.descriptor?.rawValue ?? AT_FDCWD
            unsafe cu_prepare_status(
                nextEntry(),
                descriptor,
                query.path,
                query.flags,
                query.status,
                word
            )
        case .rename(let from, let to, let replaces):
            let flags = replaces ? 0 : UInt32(CU_RENAME_NO_REPLACE)
            unsafe cu_prepare_rename(nextEntry(), from, to, flags, word)
        case .remove(let path, let isDirectory):
            unsafe cu_prepare_remove(nextEntry(), path, isDirectory, word)
        case .makeDirectory(let path, let permissions):
            unsafe cu_prepare_make_directory(nextEntry(), path, permissions, word)
        case .close(let descriptor):
            unsafe cu_prepare_close(nextEntry(), descriptor.rawValue, word)
        case .read, .write, .sync, .allocate, .truncate:
            performOnFile(word, request)
        case .list:
            preconditionFailure("no ring lists a directory")
        }
        return true
    }

    private func performOnFile(_ word: UInt64, _ request: FileRequest) {
        switch request {
        case .read(let target, let memory, let offset):
            let bytes = UnsafeRawBufferPointer(memory)
            unsafe transfer(word, target, isWrite: false, bytes, offset)
        case .write(let target, let bytes, let offset):
            unsafe transfer(word, target, isWrite: true, bytes, offset)
        case .sync(let target, let isDataOnly):
            let entry = unsafe nextEntry()
            unsafe cu_prepare_sync(entry, target.descriptor.rawValue, isDataOnly, word)
            unsafe use(target, in: entry)
        case .allocate(let target, let offset, let byteCount, let keepsSize):
            let mode = keepsSize ? Int32(CU_ALLOCATE_KEEP_SIZE) : 0
            let entry = unsafe nextEntry()
            let descriptor = target.descriptor.rawValue
            unsafe cu_prepare_allocate(entry, descriptor, mode, offset, byteCount, word)
            unsafe use(target, in: entry)
        case .truncate(let target, let byteCount):
            let entry = unsafe nextEntry()
            unsafe cu_prepare_truncate(entry, target.descriptor.rawValue, byteCount, word)
            unsafe use(target, in: entry)
        case .open, .status, .rename, .remove, .makeDirectory, .close, .list:
            preconditionFailure("what names no open file is done before")
        }
    }

    private func transfer(
        _ word: UInt64,
        _ target: FileTarget,
        isWrite: Bool,
        _ bytes: UnsafeRawBufferPointer,
        _ offset: UInt64
    ) {
        let entry = unsafe nextEntry()
        unsafe cu_prepare_transfer(
            entry,
            target.descriptor.rawValue,
            isWrite,
            isRegistered(bytes),
            bytes.baseAddress,
            UInt32(clamping: bytes.count),
            offset,
            word
        )
        unsafe use(target, in: entry)
    }

    private func use(_ target: FileTarget, in entry: UnsafeMutablePointer<io_uring_sqe>) {
        guard let place = target.place else { return }
        unsafe cu_use_registered(entry, place.rawValue)
    }

    private func isRegistered(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let fileMemory, let start = bytes.baseAddress else { return false }
        let first = UInt(bitPattern: start)
        return fileMemory.contains(first) && first + UInt(bytes.count) <= fileMemory.upperBound
    }

    // MARK: What the ring keeps

    /// Registers memory for reads and writes (IORING_REGISTER_BUFFERS).
    ///
    /// It counts against RLIMIT_MEMLOCK: ENOMEM without the privilege.
    package func registerFileMemory(_ region: PoolRegion) -> Errno? {
        guard features.isOn(.fixedBuffers), fileOperations.contains(.transfer) else {
            return .notSupported
        }
        let byteCount = region.bufferCount * PoolRegion.strideBytes(region.bufferBytes)
        let result = unsafe cu_register_memory(ring.raw, region.base, byteCount)
        guard result == 0 else { return Errno(result: result) }
        let first = unsafe UInt(bitPattern: region.base)
        fileMemory = first..<(first + UInt(byteCount))
        return nil
    }

    /// Gives an open file a place in the ring's table.
    package func register(_ descriptor: Descriptor) -> RegisteredPlace? {
        registered.add(descriptor, to: ring)
    }

    /// Takes a file out of the table.
    package func unregister(_ place: RegisteredPlace) {
        guard !isShutDown else { return }
        registered.remove(place, from: ring)
    }
}
