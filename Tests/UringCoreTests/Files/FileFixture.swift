import Dispatch
import Glibc
import Testing

@testable import UringCore

/// A directory of a test's own.
final class FileDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/uringcore-core-XXXXXX\0".utf8CString)
        guard let made = mkdtemp(&template) else { throw ClientError("mkdtemp") }
        path = String(cString: made)
    }

    /// The path of a name in it.
    func file(_ name: String = "file") -> Path { Path("\(path)/\(name)") }

    /// Makes a file without the runtime.
    func make(_ name: String = "file", _ content: [UInt8]) throws -> Path {
        let descriptor = open("\(path)/\(name)", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ClientError("open") }
        defer { close(descriptor) }
        var written = 0
        while written < content.count {
            let count = content.withUnsafeBytes {
                write(descriptor, $0.baseAddress.map { $0 + written }, content.count - written)
            }
            guard count > 0 else { throw ClientError("write") }
            written += count
        }
        return file(name)
    }

    /// Makes it shorter, as another process would.
    func cut(_ name: String = "file", to byteCount: Int) {
        truncate("\(path)/\(name)", byteCount)
    }

    func clear() {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(path)/\(name)")
        }
        closedir(directory)
        rmdir(path)
    }
}

/// Known bytes, any number of them.
func knownBytes(at position: Int = 0, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
        let piece = min(60_000, count - bytes.count)
        bytes += KnownBytes.bytes(at: position + bytes.count, count: piece)
    }
    return bytes
}

/// What a shard can stand on.
enum FileBackend: CaseIterable {
    case uring
    case epoll

    func configure(_ configuration: inout Configuration) {
        configuration.backend = self == .uring ? .uring : .epoll
        // Dispatch has threads enough, and no limit.
        configuration.loop.offload = { work in
            DispatchQueue.global().async(execute: work)
            return true
        }
    }
}

/// Runs `body` with one shard and a directory, then expects that nothing of either is left.
func withFileShard(
    _ backend: FileBackend = .uring,
    location: SourceLocation = #_sourceLocation,
    _ body: (ShardedRun, FileDirectory) async throws -> Void
) async throws {
    let directory = try FileDirectory()
    defer { directory.clear() }
    let setUp: (inout Configuration) -> Void = { backend.configure(&$0) }
    try await withShards(configure: setUp, location: location) { run in
        try await body(run, directory)
    }
}
