package import CUring

/// What is asked of the kernel about a file or a path: one verb of the seam, one case each.
///
/// > Thread: Any thread: a request is carried out where a driver, or the loop's offload, does it.
/// > Ownership: It borrows what its pointers lead to, from the operation's begin to its terminal
/// > completion.
@safe package enum FileRequest: @unchecked Sendable {
    // Safety: the `FileCall` that made the request owns all memory in it until that completion, and
    // nobody else touches it meanwhile.

    /// openat(2): the result is a descriptor, close-on-exec.
    case open(path: UnsafePointer<CChar>, flags: Int32, permissions: UInt32)
    /// pread(2): the result is a count, 0 at the end of the file.
    case read(FileTarget, into: UnsafeMutableRawBufferPointer, offset: UInt64)
    /// pwrite(2): the result is a count, which may be short.
    case write(FileTarget, from: UnsafeRawBufferPointer, offset: UInt64)
    /// fsync(2), or fdatasync(2).
    case sync(FileTarget, isDataOnly: Bool)
    /// statx(2) of a path, or of a descriptor with an empty one.
    case status(StatusQuery)
    /// renameat2(2).
    case rename(from: UnsafePointer<CChar>, to: UnsafePointer<CChar>, replaces: Bool)
    /// unlink(2), or rmdir(2).
    case remove(path: UnsafePointer<CChar>, isDirectory: Bool)
    /// mkdir(2).
    case makeDirectory(path: UnsafePointer<CChar>, permissions: UInt32)
    /// fallocate(2).
    case allocate(FileTarget, offset: UInt64, byteCount: UInt64, keepsSize: Bool)
    /// ftruncate(2).
    case truncate(FileTarget, byteCount: UInt64)
    /// close(2) of a descriptor on which nothing else is in flight.
    case close(Descriptor)
    /// open(2), getdents64(2), close(2): no ring has an operation for it (Linux 6.18).
    case list(path: UnsafePointer<CChar>, into: DirectoryListing)

    /// The kind that the operation's token carries.
    package var kind: OperationKind {
        if case .open = self { .openFile } else { .file }
    }
}

/// Which open file: its descriptor, and its place in the ring's table where it has one.
///
/// > Thread: Any thread.
package struct FileTarget: Hashable, Sendable {
    /// The descriptor.
    package let descriptor: Descriptor
    /// Where it is registered; nil where it is not.
    package let place: RegisteredPlace?

    /// Names an open file.
    package init(_ descriptor: Descriptor, place: RegisteredPlace? = nil) {
        self.descriptor = descriptor
        self.place = place
    }
}

/// A place in a ring's table of descriptors.
///
/// > Thread: Any thread.
package struct RegisteredPlace: Hashable, Sendable {
    /// The number of the place, from zero.
    package let rawValue: Int32

    /// Wraps a number.
    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}

/// Whose status is asked for, and where it goes.
///
/// > Thread: Any thread.
@safe package struct StatusQuery: @unchecked Sendable {
    // Safety: as of `FileRequest`.
    /// The open file; nil asks for the path's.
    package let descriptor: Descriptor?
    /// The path; empty for an open file.
    package let path: UnsafePointer<CChar>
    /// A symbolic link at the path's end stands for what it leads to.
    package let followsLinks: Bool
    /// What the kernel fills in.
    package let status: UnsafeMutablePointer<cu_file_status>

    /// Asks for the status of what a path leads to.
    package init(
        path: UnsafePointer<CChar>,
        followsLinks: Bool,
        into status: UnsafeMutablePointer<cu_file_status>
    ) {
        self.descriptor = nil
        unsafe self.path = path
        self.followsLinks = followsLinks
        unsafe self.status = status
    }

    /// Asks for the status of an open file; `emptyPath` is an empty string.
    package init(
        _ descriptor: Descriptor,
        emptyPath: UnsafePointer<CChar>,
        into status: UnsafeMutablePointer<cu_file_status>
    ) {
        self.descriptor = descriptor
        unsafe self.path = emptyPath
        self.followsLinks = true
        unsafe self.status = status
    }

    /// The flags of statx(2).
    package var flags: Int32 {
        if descriptor != nil { return Int32(CU_AT_EMPTY_PATH) }
        return followsLinks ? 0 : Int32(CU_AT_NO_FOLLOW)
    }
}

/// The operations on files that a driver can give to the kernel.
///
/// > Thread: Any thread.
package struct FileOperations: OptionSet, Hashable, Sendable {
    /// One bit an operation.
    package let rawValue: UInt16

    /// Wraps the bits.
    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// `open`.
    package static let open = FileOperations(rawValue: 1)
    /// `read` and `write`, fixed buffers included.
    package static let transfer = FileOperations(rawValue: 2)
    /// `sync`.
    package static let sync = FileOperations(rawValue: 4)
    /// `status`.
    package static let status = FileOperations(rawValue: 8)
    /// `rename`.
    package static let rename = FileOperations(rawValue: 16)
    /// `remove`.
    package static let remove = FileOperations(rawValue: 32)
    /// `makeDirectory`.
    package static let makeDirectory = FileOperations(rawValue: 64)
    /// `allocate`.
    package static let allocate = FileOperations(rawValue: 128)
    /// `truncate`.
    package static let truncate = FileOperations(rawValue: 256)
    /// `close`.
    package static let close = FileOperations(rawValue: 512)
    /// `list`.
    package static let list = FileOperations(rawValue: 1_024)
}

extension FileRequest {
    /// What a driver must be able to do for it.
    package var needed: FileOperations {
        switch self {
        case .open: .open
        case .read, .write: .transfer
        case .sync: .sync
        case .status: .status
        case .rename: .rename
        case .remove: .remove
        case .makeDirectory: .makeDirectory
        case .allocate: .allocate
        case .truncate: .truncate
        case .close: .close
        case .list: .list
        }
    }
}
