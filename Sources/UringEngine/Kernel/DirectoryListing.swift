/// One name in a directory.
///
/// > Thread: Any thread.
public struct DirectoryEntry: Hashable, Sendable {
    /// The name alone, without the directory's.
    public let name: Path
    /// What it names; `.unknown` where the file system does not tell (readdir(3)).
    public let kind: FileKind

    /// Describes an entry.
    package init(name: Path, kind: FileKind) {
        self.name = name
        self.kind = kind
    }
}

/// What a path leads to.
///
/// > Thread: Any thread.
public enum FileKind: Hashable, Sendable, CaseIterable {
    case regular
    case directory
    case symbolicLink
    case characterDevice
    case blockDevice
    case pipe
    case socket
    /// The kernel does not tell.
    case unknown
}

/// The entries of one directory, while they are being read.
///
/// > Thread: One at a time: the thread that reads the directory, then the loop's.
package final class DirectoryListing: @unchecked Sendable {
    // Safety: the loop hands it to a thread with the request, and looks at it after the completion;
    // the queues between them order the two.
    /// What was found so far, `.` and `..` left out.
    package private(set) var entries: [DirectoryEntry] = []

    /// Starts without entries.
    package init() {}

    /// Adds one.
    package func append(_ entry: DirectoryEntry) {
        entries.append(entry)
    }

    /// Forgets all, for another try.
    package func removeAll() {
        entries.removeAll()
    }

    /// Takes what getdents64(2) gave: records of inode 8, offset 8, length 2, type 1, name.
    // Safety: each byte is loaded within the records.
    package func append(records: RawSpan) {
        var start = 0
        while start + 19 <= records.byteCount {
            let low = unsafe records.unsafeLoad(fromByteOffset: start + 16, as: UInt8.self)
            let high = unsafe records.unsafeLoad(fromByteOffset: start + 17, as: UInt8.self)
            #if _endian(little)
            let length = Int(low) | Int(high) << 8
            #else
            let length = Int(high) | Int(low) << 8
            #endif
            guard length > 19, start + length <= records.byteCount else { return }
            append(record: records, from: start, to: start + length)
            start += length
        }
    }

    // Safety: as above.
    private func append(record: RawSpan, from start: Int, to end: Int) {
        var name: [UInt8] = []
        for position in (start + 19)..<end {
            let byte = unsafe record.unsafeLoad(fromByteOffset: position, as: UInt8.self)
            if byte == 0 { break }
            name.append(byte)
        }
        guard name != [0x2E], name != [0x2E, 0x2E] else { return }
        let type = unsafe record.unsafeLoad(fromByteOffset: start + 18, as: UInt8.self)
        append(DirectoryEntry(name: Path(bytes: name), kind: FileKind(directoryType: type)))
    }
}

extension FileKind {
    /// Takes the type of a directory's record (DT_*: the upper bits of a mode).
    init(directoryType: UInt8) {
        self.init(mode: UInt32(directoryType) << 12)
    }

    /// Takes the type bits of a mode (inode(7)).
    init(mode: UInt32) {
        self =
            switch mode & 0o170000 {
            case 0o100000: .regular
            case 0o040000: .directory
            case 0o120000: .symbolicLink
            case 0o020000: .characterDevice
            case 0o060000: .blockDevice
            case 0o010000: .pipe
            case 0o140000: .socket
            default: .unknown
            }
    }
}
