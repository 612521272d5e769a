import Testing

@testable import UringEngine

/// Files on a loop's thread, used from the test's by calls that wait.
final class FileRun {
    let server: LoopThread
    let directory: ScratchDirectory
    let threads: BlockingThreads
    /// A second file that a test uses again and again.
    var kept: OpenFile?

    init(_ server: LoopThread, _ directory: ScratchDirectory, _ threads: BlockingThreads) {
        self.server = server
        self.directory = directory
        self.threads = threads
    }

    /// So many operations in flight on one file.
    static func limit(_ count: Int) -> (inout LoopOptions) -> Void {
        { $0.limits.operationsPerFileMax = count }
    }

    /// Nobody carries out what blocks.
    static func alone(_ options: inout LoopOptions) {
        options.offload = nil
    }

    /// The path of a name in the test's directory.
    func path(_ name: String = "file") -> Path { Path("\(directory.path)/\(name)") }

    /// Begins something on the loop, and waits for its answer.
    func answer<Value>(
        _ what: String,
        _ begin: @escaping (EventLoop, @escaping (Result<Value, IOError>) -> Void) throws -> Void
    ) throws -> Value {
        try later(what, begin).take(what).get()
    }

    /// Begins something on the loop; its answer comes into the drop.
    func later<Value>(
        _ what: String,
        _ begin: @escaping (EventLoop, @escaping (Result<Value, IOError>) -> Void) throws -> Void
    ) throws -> Drop<Result<Value, IOError>> {
        let drop = Drop<Result<Value, IOError>>()
        try server.run { loop in try begin(loop) { drop.put($0) } }
        return drop
    }

    // MARK: Files

    func open(_ path: Path, _ options: FileOptions = .reading) throws -> OpenFile {
        try answer("an open") { try $0.openFile(path, options: options, completion: $1) }
    }

    /// A file that may be read and written, empty or with this content.
    func make(_ name: String = "file", _ content: [UInt8] = []) throws -> OpenFile {
        let file = try open(path(name), FileOptions(access: .readWrite, creation: .orEmpty))
        if !content.isEmpty { try write(file, content, at: 0) }
        return file
    }

    func read(_ file: OpenFile, at offset: UInt64, _ count: Int) throws -> [UInt8]? {
        try laterRead(file, at: offset, count).take("a read").get()
    }

    /// Begins a read; its bytes come into the drop, none at the end of the file.
    func laterRead(
        _ file: OpenFile,
        at offset: UInt64,
        _ count: Int
    ) throws -> Drop<Result<[UInt8]?, IOError>> {
        try later("a read") { _, done in
            try file.read(at: offset, byteCount: count) { done(Self.copied($0)) }
        }
    }

    private static func copied(
        _ result: consuming Result<ReceivedBytes?, IOError>
    ) -> Result<[UInt8]?, IOError> {
        switch consume result {
        case .success(.some(let bytes)): .success(bytes.copyToArray())
        case .success(.none): .success(nil)
        case .failure(let error): .failure(error)
        }
    }

    func write(_ file: OpenFile, _ bytes: [UInt8], at offset: UInt64) throws {
        try laterWrite(file, bytes, at: offset).take("a write").get()
    }

    /// Begins a write.
    func laterWrite(
        _ file: OpenFile,
        _ bytes: [UInt8],
        at offset: UInt64
    ) throws -> Drop<Result<Void, IOError>> {
        try later("a write") { _, done in
            try file.write(OwnedBytes(copying: bytes.span.bytes), at: offset, completion: done)
        }
    }

    func append(_ file: OpenFile, _ bytes: [UInt8]) throws {
        try answer("an append") { _, done in
            try file.append(OwnedBytes(copying: bytes.span.bytes), completion: done)
        }
    }

    func attributes(_ file: OpenFile) throws -> FileAttributes {
        try answer("a status") { _, done in file.attributes(completion: done) }
    }

    func close(_ file: OpenFile) throws {
        try answer("a close") { _, done in file.close(done) }
    }

    /// The error of something that must fail.
    func failure(_ body: () throws -> Void) throws -> IOError {
        do {
            try body()
        } catch let error as IOError {
            return error
        }
        throw Unexpected(what: "it went well")
    }
}

/// What should have failed did not.
struct Unexpected: Error {
    let what: String
}

/// Runs `body` with a loop, threads for what it offloads, and a directory; then nothing may be left but
/// the files there.
func withFiles(
    _ rung: Rung = .everything,
    threads: BlockingThreads = BlockingThreads(),
    _ configure: @escaping (inout LoopOptions) -> Void = { _ in },
    location: SourceLocation = #_sourceLocation,
    _ body: (FileRun) throws -> Void
) throws {
    let directory = try ScratchDirectory()
    defer { directory.clear() }
    let setUp: (inout LoopOptions) -> Void = { options in
        options.offload = { threads.take($0) }
        configure(&options)
    }
    do {
        try withLoop(rung, setUp, location: location) { server in
            try body(FileRun(server, directory, threads))
            // A thread holds the loop for a moment beyond its work.
            try threads.end()
        }
    } catch {
        try threads.end()
        throw error
    }
}
