internal import CUring
internal import Glibc
import UringEngine

/// What the kernel makes of a request of a file or a path.
// Safety: the contract of `KernelDriver` keeps what a request points to until the terminal
// completion; the kernel alone uses it until then.
extension SimulatedKernel {
    func perform(_ operation: SimulatedOperation, _ request: FileRequest) {
        if fileFault(operation, request) { return }
        switch request {
        case .open(let path, let flags, let permissions):
            let rights = FilePermissions(rawValue: permissions & ~0o022)
            unsafe open(operation, Path(memory: path), flags, rights)
        case .status(let query): status(operation, query)
        case .rename(let from, let to, let replaces):
            unsafe rename(operation, Path(memory: from), to: Path(memory: to), replaces: replaces)
        case .remove(let path, let isDirectory):
            unsafe remove(operation, Path(memory: path), isDirectory: isDirectory)
        case .makeDirectory(let path, let permissions):
            let rights = FilePermissions(rawValue: permissions & ~0o022)
            unsafe makeDirectory(operation, Path(memory: path), rights)
        case .list(let path, let listing): unsafe list(operation, Path(memory: path), listing)
        case .read, .write, .sync, .allocate, .truncate, .close:
            performOnFile(operation, request)
        }
    }

    private func performOnFile(_ operation: SimulatedOperation, _ request: FileRequest) {
        guard let file = request.descriptor.flatMap({ fileSystem[$0] }) else {
            return complete(operation, -EBADF)
        }
        switch request {
        case .read(_, let memory, let offset): unsafe read(operation, file, memory, offset)
        case .write(_, let bytes, let offset): unsafe write(operation, file, bytes, offset)
        case .allocate(_, let offset, let byteCount, let keepsSize):
            let end = Int(offset + byteCount)
            if !keepsSize, end > file.node.content.count { resize(file.node, to: end) }
            complete(operation, 0)
        case .truncate(_, let byteCount):
            guard file.isWritable else { return complete(operation, -EINVAL) }
            resize(file.node, to: Int(byteCount))
            complete(operation, 0)
        case .close(let descriptor):
            if file.operations.contains(where: { $0 !== operation }) {
                fail(.closedInFlight(descriptor, file.operations.map(\.token)))
            }
            fileSystem.close(descriptor)
            complete(operation, 0)
        default: complete(operation, 0)
        }
    }

    /// Lets a request fail, if the seed wants it.
    ///
    /// A close is never said to be interrupted: on Linux it has closed then.
    private func fileFault(_ operation: SimulatedOperation, _ request: FileRequest) -> Bool {
        if case .close = request { return false }
        if random.happens(faults.retries) {
            complete(operation, -random.pick([EAGAIN, EINTR]))
            return true
        }
        guard request.descriptor != nil, random.happens(faults.fileErrors) else { return false }
        complete(operation, -EIO)
        return true
    }

    // MARK: Paths

    private func open(
        _ operation: SimulatedOperation,
        _ path: Path,
        _ flags: Int32,
        _ permissions: FilePermissions
    ) {
        if let failure = fileSystem.failure(above: path) {
            return complete(operation, -failure.rawValue)
        }
        guard openCount + fileSystem.openCount < limits.descriptorsMax else {
            return complete(operation, -EMFILE)
        }
        let found = fileSystem.node(path)
        if found != nil, flags & O_CREAT != 0, flags & O_EXCL != 0 {
            return complete(operation, -EEXIST)
        }
        guard found != nil || flags & O_CREAT != 0 else { return complete(operation, -ENOENT) }
        let node = found ?? fileSystem.add(path, isDirectory: false, permissions: permissions)
        if node.isDirectory, flags & (O_WRONLY | O_RDWR | O_CREAT) != 0 {
            return complete(operation, -EISDIR)
        }
        if flags & O_TRUNC != 0 { node.content = [] }
        complete(operation, fileSystem.open(node, flags: flags).rawValue)
    }

    private func status(_ operation: SimulatedOperation, _ query: StatusQuery) {
        let node: SimulatedNode?
        if let descriptor = query.descriptor {
            node = fileSystem[descriptor]?.node
            if node == nil { return complete(operation, -EBADF) }
        } else {
            let path = unsafe Path(memory: query.path)
            if let failure = fileSystem.failure(above: path) {
                return complete(operation, -failure.rawValue)
            }
            node = fileSystem.node(path)
        }
        guard let node else { return complete(operation, -ENOENT) }
        var status = cu_file_status()
        status.mode = UInt16((node.isDirectory ? 0o040000 : 0o100000) | node.permissions.rawValue)
        status.size = UInt64(node.content.count)
        status.blocks = (status.size + 511) / 512
        status.block_bytes = 4_096
        status.links = 1
        status.inode = node.inode
        unsafe query.status.pointee = status
        complete(operation, 0)
    }

    private func rename(
        _ operation: SimulatedOperation,
        _ path: Path,
        to newPath: Path,
        replaces: Bool
    ) {
        let failure = fileSystem.failure(above: path) ?? fileSystem.failure(above: newPath)
        if let failure { return complete(operation, -failure.rawValue) }
        guard let node = fileSystem.node(path) else { return complete(operation, -ENOENT) }
        if let other = fileSystem.node(newPath), other !== node {
            if !replaces { return complete(operation, -EEXIST) }
            if other.isDirectory, !node.isDirectory { return complete(operation, -EISDIR) }
            if !other.isDirectory, node.isDirectory { return complete(operation, -ENOTDIR) }
            if !fileSystem.entries(of: newPath).isEmpty { return complete(operation, -ENOTEMPTY) }
        }
        fileSystem.move(path, to: newPath)
        complete(operation, 0)
    }

    private func remove(_ operation: SimulatedOperation, _ path: Path, isDirectory: Bool) {
        if let failure = fileSystem.failure(above: path) {
            return complete(operation, -failure.rawValue)
        }
        guard let node = fileSystem.node(path) else { return complete(operation, -ENOENT) }
        guard node.isDirectory == isDirectory else {
            return complete(operation, isDirectory ? -ENOTDIR : -EISDIR)
        }
        if isDirectory, !fileSystem.entries(of: path).isEmpty {
            return complete(operation, -ENOTEMPTY)
        }
        fileSystem.remove(path)
        complete(operation, 0)
    }

    private func makeDirectory(
        _ operation: SimulatedOperation,
        _ path: Path,
        _ permissions: FilePermissions
    ) {
        if let failure = fileSystem.failure(above: path) {
            return complete(operation, -failure.rawValue)
        }
        guard fileSystem.node(path) == nil else { return complete(operation, -EEXIST) }
        fileSystem.add(path, isDirectory: true, permissions: permissions)
        complete(operation, 0)
    }

    private func list(
        _ operation: SimulatedOperation,
        _ path: Path,
        _ listing: DirectoryListing
    ) {
        if let failure = fileSystem.failure(above: path) {
            return complete(operation, -failure.rawValue)
        }
        guard let node = fileSystem.node(path) else { return complete(operation, -ENOENT) }
        guard node.isDirectory else { return complete(operation, -ENOTDIR) }
        listing.removeAll()
        for entry in fileSystem.entries(of: path) { listing.append(entry) }
        complete(operation, 0)
    }

    // MARK: Content

    private func read(
        _ operation: SimulatedOperation,
        _ file: SimulatedOpenFile,
        _ memory: UnsafeMutableRawBufferPointer,
        _ offset: UInt64
    ) {
        if file.node.isDirectory { return complete(operation, -EISDIR) }
        guard file.flags & O_WRONLY == 0 else { return complete(operation, -EBADF) }
        let content = file.node.content
        guard offset < UInt64(content.count) else { return complete(operation, 0) }
        var count = min(memory.count, content.count - Int(offset))
        if random.happens(faults.shortReads) { count = random.between(1, count) }
        unsafe memory.copyBytes(from: content[Int(offset)..<(Int(offset) + count)])
        complete(operation, Int32(count))
    }

    private func write(
        _ operation: SimulatedOperation,
        _ file: SimulatedOpenFile,
        _ bytes: UnsafeRawBufferPointer,
        _ offset: UInt64
    ) {
        guard file.isWritable else { return complete(operation, -EBADF) }
        let node = file.node
        let start = file.flags & O_APPEND != 0 ? node.content.count : Int(offset)
        let room = limits.fileBytesMax - start
        if random.happens(faults.fullDevices) || room <= 0 { return complete(operation, -ENOSPC) }
        var count = min(bytes.count, room)
        if random.happens(faults.shortSends) { count = random.between(1, count) }
        if start + count > node.content.count { resize(node, to: start + count) }
        unsafe node.content.replaceSubrange(start..<(start + count), with: bytes.prefix(count))
        complete(operation, Int32(count))
    }

    private func resize(_ node: SimulatedNode, to byteCount: Int) {
        let missing = byteCount - node.content.count
        if missing > 0 {
            node.content += [UInt8](repeating: 0, count: missing)
        } else {
            node.content.removeLast(-missing)
        }
    }
}

extension SimulatedOpenFile {
    var isWritable: Bool { flags & (O_WRONLY | O_RDWR) != 0 }
}
