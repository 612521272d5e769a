/// A path in the file system: bytes, as the kernel has them.
///
/// Mostly it is written as a string. Names that are not UTF-8 are kept as they are; only
/// `description` replaces what cannot be read.
///
/// > Thread: Any thread.
public struct Path: Hashable, Sendable {
    /// The bytes, without a final NUL.
    public let bytes: [UInt8]

    /// The longest that the kernel takes, in bytes (PATH_MAX less its final NUL).
    public static let byteCountMax = 4_095

    /// Takes a string's UTF-8.
    public init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// Takes bytes as they are.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The path of a name inside this directory.
    public func appending(_ name: Path) -> Path {
        let isSeparated = bytes.isEmpty || bytes.last == 0x2F
        return Path(bytes: bytes + (isSeparated ? [] : [0x2F]) + name.bytes)
    }

    /// Lets a path be given to the kernel, or not.
    ///
    /// - Throws: `.invalidArgument` for an empty path and for one with NUL inside, ENAMETOOLONG for
    ///   one that is too long, each naming the path.
    package func check(for operation: IOError.Operation) throws(IOError) {
        if bytes.isEmpty {
            throw IOError(
                operation,
                reason: .invalidArgument,
                detail: "the path is empty; use one of 1 to \(Self.byteCountMax) bytes"
            )
        }
        if let position = bytes.firstIndex(of: 0) {
            throw IOError(
                operation,
                reason: .invalidArgument,
                detail: "\(self): a path has no NUL inside, this one at byte \(position)"
            )
        }
        guard bytes.count <= Self.byteCountMax else {
            throw IOError(
                operation,
                errno: .nameTooLong,
                detail: "\(self): \(bytes.count) bytes; at most \(Self.byteCountMax) are taken"
            )
        }
    }
}

extension Path: ExpressibleByStringLiteral {
    /// Takes a literal.
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

extension Path: CustomStringConvertible {
    /// The path for a person: on one line, and cut where it is very long.
    public var description: String {
        let shown = bytes.prefix(200)
        let text = String(decoding: shown, as: UTF8.self).unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7F ? "\u{FFFD}" : String(scalar)
        }
        return text.joined() + (shown.count < bytes.count ? "…" : "")
    }
}

/// A path as the kernel takes it: bytes with a final NUL, at one address.
///
/// > Thread: Any thread.
/// > Ownership: It owns the memory.
@safe package final class PathMemory: @unchecked Sendable {
    // Safety: allocated and filled in init, not changed, freed in deinit.
    /// The first byte.
    package let start: UnsafePointer<CChar>

    /// Copies a path, which was checked.
    package init(_ path: Path) {
        let memory = UnsafeMutablePointer<CChar>.allocate(capacity: path.bytes.count + 1)
        for (position, byte) in path.bytes.enumerated() {
            unsafe (memory + position).initialize(to: CChar(bitPattern: byte))
        }
        unsafe (memory + path.bytes.count).initialize(to: 0)
        unsafe self.start = UnsafePointer(memory)
    }

    deinit {
        unsafe start.deallocate()
    }
}
