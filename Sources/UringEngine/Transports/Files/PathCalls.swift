internal import CUring

/// Opens a file.
///
/// > Thread: On-loop only.
@safe package final class OpenCall: FileCall {
    // Safety: it owns the memory of its requests (see `FileCall`).
    private let memory: PathMemory
    let options: FileOptions
    /// What was opened, until somebody takes it.
    var opened: Descriptor?

    init(_ path: Path, _ options: FileOptions) {
        self.memory = PathMemory(path)
        self.options = options
        super.init(.openFile, path)
    }

    /// Asks for open(2).
    package override func request(on target: FileTarget) -> FileRequest {
        unsafe .open(
            path: memory.start,
            flags: options.flags,
            permissions: options.permissions.rawValue
        )
    }

    /// Keeps the descriptor.
    package override func taken(_ result: Int) -> Step {
        opened = Descriptor(rawValue: Int32(truncatingIfNeeded: result))
        return .over
    }
}

/// Changes what names lead to: a rename, a removal, a new directory.
///
/// > Thread: On-loop only.
@safe package final class NameCall: FileCall {
    // Safety: it owns the memory of its requests (see `FileCall`).

    /// What is done with the name.
    enum Change {
        case rename(to: Path, replaces: Bool)
        case remove(isDirectory: Bool)
        case makeDirectory(FilePermissions)
    }

    private let change: Change
    private let memory: PathMemory
    private let target: PathMemory?

    init(_ operation: IOError.Operation, _ path: Path, _ change: Change) {
        self.change = change
        self.memory = PathMemory(path)
        if case .rename(let newPath, _) = change {
            self.target = PathMemory(newPath)
        } else {
            self.target = nil
        }
        super.init(operation, path)
    }

    /// Asks for the change.
    package override func request(on target: FileTarget) -> FileRequest {
        switch change {
        case .rename(_, let replaces):
            guard let newPath = self.target else {
                preconditionFailure("a rename has two paths")
            }
            return unsafe .rename(from: memory.start, to: newPath.start, replaces: replaces)
        case .remove(let isDirectory):
            return unsafe .remove(path: memory.start, isDirectory: isDirectory)
        case .makeDirectory(let permissions):
            return unsafe .makeDirectory(
                path: memory.start,
                permissions: permissions.rawValue
            )
        }
    }

    /// Names both paths of a rename.
    package override var detail: String {
        if case .rename(let newPath, _) = change { "\(path) to \(newPath)" } else { "\(path)" }
    }
}

/// Asks for a status: of a path, or of an open file.
///
/// > Thread: On-loop only.
@safe package final class StatusCall: FileCall {
    // Safety: it owns the memory of its requests; `status` is allocated in init and freed in deinit; the kernel fills it in.
    private let memory: PathMemory
    private let isOpen: Bool
    private let followsLinks: Bool
    private let status: UnsafeMutablePointer<cu_file_status>

    /// Asks for that of `path`; `isOpen` asks for that of the file it is begun on.
    init(_ path: Path, isOpen: Bool, followsLinks: Bool = true) {
        self.memory = PathMemory(isOpen ? Path(bytes: []) : path)
        self.isOpen = isOpen
        self.followsLinks = followsLinks
        unsafe status = .allocate(capacity: 1)
        unsafe status.initialize(to: cu_file_status())
        super.init(.inspectFile, path)
    }

    deinit {
        unsafe status.deallocate()
    }

    /// Asks for statx(2).
    package override func request(on target: FileTarget) -> FileRequest {
        if isOpen {
            return unsafe .status(
                StatusQuery(target.descriptor, emptyPath: memory.start, into: status)
            )
        }
        return unsafe .status(
            StatusQuery(path: memory.start, followsLinks: followsLinks, into: status)
        )
    }

    /// What the kernel said; only after a success.
    package var attributes: FileAttributes { unsafe FileAttributes(status.pointee) }
}

/// Lists a directory.
///
/// > Thread: On-loop only.
@safe package final class ListCall: FileCall {
    // Safety: it owns the memory of its requests (see `FileCall`).
    private let memory: PathMemory
    private let listing = DirectoryListing()

    init(_ path: Path) {
        self.memory = PathMemory(path)
        super.init(.listDirectory, path)
    }

    /// Asks for the entries.
    package override func request(on target: FileTarget) -> FileRequest {
        unsafe .list(path: memory.start, into: listing)
    }

    /// What was found; only after a success.
    package var entries: [DirectoryEntry] { listing.entries }
}
