/// Who may do what with a file: the nine bits of chmod(2), as `0o660`.
///
/// > Thread: Any thread.
public struct FilePermissions: RawRepresentable, Hashable, Sendable {
    /// The bits, 0 to 0o777.
    public let rawValue: UInt32

    /// Wraps the bits; whoever uses them checks their range.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

extension FilePermissions: ExpressibleByIntegerLiteral {
    /// Takes the bits from a literal.
    public init(integerLiteral value: UInt32) {
        self.init(rawValue: value)
    }
}

extension FilePermissions: CustomStringConvertible {
    /// The bits in octal, as `0o660`.
    public var description: String { "0o" + String(rawValue, radix: 8) }
}

/// Which file it is, whatever its name.
///
/// The kernel gives the numbers of a removed file to the next one at once (ext4: seen), unless
/// something still holds it, as a bound socket holds its file.
///
/// > Thread: Any thread.
package struct FileIdentity: Hashable, Sendable {
    /// The file system.
    package let device: UInt64
    /// The file in it.
    package let inode: UInt64

    /// Wraps both numbers.
    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// What lies at a path.
///
/// > Thread: Any thread.
package struct FileStatus: Hashable, Sendable {
    /// Which file it is.
    package let identity: FileIdentity
    /// It is a socket's.
    package let isSocket: Bool
    /// Who may do what with it.
    package let permissions: FilePermissions

    /// Describes a file.
    package init(identity: FileIdentity, isSocket: Bool, permissions: FilePermissions) {
        self.identity = identity
        self.isSocket = isSocket
        self.permissions = permissions
    }
}
