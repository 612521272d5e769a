internal import CUring
internal import Glibc

/// How a file is opened.
///
/// > Thread: Any thread.
public struct FileOptions: Hashable, Sendable {
    /// What may be done with the content.
    public enum Access: Hashable, Sendable, CaseIterable {
        case read
        case write
        case readWrite
        /// Every write goes to the end, wherever that is by then (O_APPEND).
        case append
    }

    /// What becomes of a path that leads to nothing, and of content that is there.
    public enum Creation: Hashable, Sendable, CaseIterable {
        /// There must be a file.
        case never
        /// A file is made where there is none.
        case ifMissing
        /// A file is made where there is none; one that is there is emptied.
        case orEmpty
        /// There must be none: EEXIST.
        case always
    }

    /// What may be done with the content.
    public var access = Access.read
    /// Whether a file is made.
    public var creation = Creation.never
    /// Who may do what with a file that is made, less the umask.
    public var permissions: FilePermissions = 0o644
    /// Transfers go past the kernel's cache (O_DIRECT): offsets and counts are multiples of
    /// `OpenFile.directAlignment`.
    public var isDirect = false
    /// A symbolic link at the path's end is followed; otherwise it is ELOOP.
    public var followsLinks = true

    /// The defaults: an existing file, to be read.
    public init() {}

    /// An existing file, to be read.
    public static let reading = FileOptions()

    /// A file to be written from its beginning: made, or emptied.
    public static let writing = FileOptions(access: .write, creation: .orEmpty)

    /// A file whose end is written: made where there is none.
    public static let appending = FileOptions(access: .append, creation: .ifMissing)

    /// Chooses the two that matter most.
    public init(access: Access, creation: Creation) {
        self.access = access
        self.creation = creation
    }

    /// The flags of open(2).
    var flags: Int32 {
        var flags =
            switch access {
            case .read: O_RDONLY
            case .write: O_WRONLY
            case .readWrite: O_RDWR
            case .append: O_WRONLY | O_APPEND
            }
        switch creation {
        case .never: break
        case .ifMissing: flags |= O_CREAT
        case .orEmpty: flags |= O_CREAT | O_TRUNC
        case .always: flags |= O_CREAT | O_EXCL
        }
        if isDirect { flags |= cu_open_direct_flag() }
        if !followsLinks { flags |= O_NOFOLLOW }
        return flags
    }

    /// Lets a file be opened so, or not.
    func check(_ path: Path) throws(IOError) {
        guard permissions.rawValue <= 0o777 else {
            throw IOError(
                .openFile,
                reason: .invalidArgument,
                detail: "\(path): permissions are 0 to 0o777, not \(permissions)"
            )
        }
        guard access == .read, creation == .orEmpty else { return }
        throw IOError(
            .openFile,
            reason: .invalidArgument,
            detail: "\(path): a file that is only read cannot be emptied; use another access"
        )
    }
}
