package import CUring

/// What the file system says of a file (statx(2)).
///
/// > Thread: Any thread.
public struct FileAttributes: Hashable, Sendable {
    /// A point in time, as the file system keeps it.
    public struct Time: Hashable, Sendable {
        /// Seconds since 1970, UTC.
        public let seconds: Int64
        /// Nanoseconds within that second.
        public let nanoseconds: UInt32

        init(_ time: cu_file_time) {
            self.seconds = time.seconds
            self.nanoseconds = time.nanoseconds
        }
    }

    /// What it is.
    public let kind: FileKind
    /// Who may do what with it.
    public let permissions: FilePermissions
    /// How long it is, in bytes.
    public let byteCount: UInt64
    /// What it takes of the device, in bytes: less than `byteCount` where it has holes.
    public let allocatedBytes: UInt64
    /// The block that the file system likes best, in bytes.
    public let blockBytes: Int
    /// How many names it has.
    public let linkCount: Int
    /// The user who owns it.
    public let userID: UInt32
    /// The group that owns it.
    public let groupID: UInt32
    /// When it was last read; many file systems write that seldom.
    public let accessTime: Time
    /// When its content was last changed.
    public let modificationTime: Time
    /// When its content or its status was last changed.
    public let changeTime: Time
    /// What direct transfers must be multiples of; nil where the kernel does not tell (before Linux
    /// 6.1) or the file takes none.
    public let directAlignment: DirectAlignment?
    /// Which file it is.
    package let identity: FileIdentity

    /// Takes what the kernel filled in.
    package init(_ status: cu_file_status) {
        self.kind = FileKind(mode: UInt32(status.mode))
        self.permissions = FilePermissions(rawValue: UInt32(status.mode) & 0o777)
        self.byteCount = status.size
        self.allocatedBytes = status.blocks &* 512
        self.blockBytes = Int(status.block_bytes)
        self.linkCount = Int(status.links)
        self.userID = status.user
        self.groupID = status.group
        self.accessTime = Time(status.accessed)
        self.modificationTime = Time(status.modified)
        self.changeTime = Time(status.changed)
        self.directAlignment = DirectAlignment(status)
        let device = UInt64(status.device_major) << 32 | UInt64(status.device_minor)
        self.identity = FileIdentity(device: device, inode: status.inode)
    }
}

/// What direct transfers (O_DIRECT) must be multiples of, in bytes.
///
/// > Thread: Any thread.
public struct DirectAlignment: Hashable, Sendable {
    /// Where memory begins.
    public let memoryBytes: Int
    /// Where a transfer begins in the file, and how long it is.
    public let offsetBytes: Int

    /// What fits everywhere: a page.
    package static let page = DirectAlignment(memoryBytes: 4_096, offsetBytes: 4_096)

    /// Describes an alignment, both in bytes.
    package init(memoryBytes: Int, offsetBytes: Int) {
        self.memoryBytes = memoryBytes
        self.offsetBytes = offsetBytes
    }

    fileprivate init?(_ status: cu_file_status) {
        let isTold = status.mask & UInt32(CU_STATUS_DIRECT) != 0
        guard isTold, status.direct_offset_alignment > 0 else { return nil }
        self.init(
            memoryBytes: Int(max(status.direct_memory_alignment, 1)),
            offsetBytes: Int(status.direct_offset_alignment)
        )
    }
}
