import Glibc
import Testing

@testable import UringEngine

/// A directory of its own for a test's sockets.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/uringcore-test-XXXXXX\0".utf8CString)
        guard let made = mkdtemp(&template) else { throw PeerError("mkdtemp") }
        path = String(cString: made)
    }

    /// The address of a socket in it.
    func address(_ name: String = "socket") throws -> SocketAddress {
        try SocketAddress(unixPath: "\(path)/\(name)")
    }

    /// What lies at an address now, links not followed.
    func status(_ address: SocketAddress) throws -> FileStatus? {
        try SystemSockets().fileStatus(at: address)
    }

    /// Makes a file with a known content.
    func makeFile(_ name: String) throws -> SocketAddress {
        let descriptor = open("\(path)/\(name)", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw PeerError("open") }
        defer { close(descriptor) }
        guard write(descriptor, "content", 7) == 7 else { throw PeerError("write") }
        return try address(name)
    }

    func remove(_ name: String = "socket") throws {
        guard unlink("\(path)/\(name)") == 0 else { throw PeerError("unlink") }
    }

    /// The names in it, without `.` and `..`.
    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes it with everything in it.
    func clear() {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// Runs `body` with a directory, then expects that only `leftovers` are left in it.
func withDirectory(
    leaving leftovers: [String] = [],
    _ location: SourceLocation = #_sourceLocation,
    _ body: (ScratchDirectory) throws -> Void
) throws {
    let directory = try ScratchDirectory()
    defer { directory.clear() }
    try body(directory)
    #expect(directory.names == leftovers, sourceLocation: location)
}

/// The process's umask, set for a while.
func withUmask<Result>(_ mask: mode_t, _ body: () throws -> Result) rethrows -> Result {
    let before = umask(mask)
    defer { umask(before) }
    return try body()
}
