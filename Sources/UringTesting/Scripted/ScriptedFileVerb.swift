package import UringEngine

/// What a loop asked of a file or a path, as a value.
///
/// > Thread: Any thread.
package enum ScriptedFileVerb: Hashable, Sendable {
    /// A file opened, with the flags of open(2).
    case open(Path, flags: Int32)
    /// Bytes into memory of the loop's.
    case read(byteCount: Int, offset: UInt64)
    /// These bytes out.
    case write(bytes: [UInt8], offset: UInt64)
    /// What was written, brought to the device.
    case sync(isDataOnly: Bool)
    /// The status of a path, or with an empty one of the open file.
    case status(Path)
    /// A new name.
    case rename(Path, to: Path, replaces: Bool)
    /// A name taken away.
    case remove(Path, isDirectory: Bool)
    /// A new directory.
    case makeDirectory(Path)
    /// Room taken.
    case allocate(offset: UInt64, byteCount: UInt64)
    /// A new length.
    case truncate(byteCount: UInt64)
    /// A descriptor closed.
    case close
    /// The names in a directory.
    case list(Path)
}

// Safety: the caller keeps what a request points to until the terminal completion.
extension ScriptedFileVerb {
    init(_ request: FileRequest) {
        switch request {
        case .open(let path, let flags, _): self = unsafe .open(Path(memory: path), flags: flags)
        case .read(_, let memory, let offset):
            self = .read(byteCount: memory.count, offset: offset)
        case .write(_, let bytes, let offset):
            self = unsafe .write(bytes: Array(bytes), offset: offset)
        case .sync(_, let isDataOnly): self = .sync(isDataOnly: isDataOnly)
        case .status(let query): self = unsafe .status(Path(memory: query.path))
        case .rename(let from, let to, let replaces):
            self = unsafe .rename(Path(memory: from), to: Path(memory: to), replaces: replaces)
        case .remove(let path, let isDirectory):
            self = unsafe .remove(Path(memory: path), isDirectory: isDirectory)
        case .makeDirectory(let path, _): self = unsafe .makeDirectory(Path(memory: path))
        case .allocate(_, let offset, let byteCount, _):
            self = .allocate(offset: offset, byteCount: byteCount)
        case .truncate(_, let byteCount): self = .truncate(byteCount: byteCount)
        case .close: self = .close
        case .list(let path, _): self = unsafe .list(Path(memory: path))
        }
    }
}

extension Path {
    /// Copies a path out of memory that ends with NUL.
    // Safety: the memory is read during the call.
    init(memory: UnsafePointer<CChar>) {
        var bytes: [UInt8] = []
        var place = unsafe memory
        while case let byte = unsafe place.pointee, byte != 0 {
            bytes.append(UInt8(bitPattern: byte))
            unsafe place += 1
        }
        self.init(bytes: bytes)
    }
}

extension FileRequest {
    /// The descriptor that it is on; nil for a path's.
    var descriptor: Descriptor? {
        switch self {
        case .read(let target, _, _), .write(let target, _, _), .sync(let target, _),
            .allocate(let target, _, _, _), .truncate(let target, _):
            target.descriptor
        case .status(let query): query.descriptor
        case .close(let descriptor): descriptor
        case .open, .rename, .remove, .makeDirectory, .list: nil
        }
    }
}
