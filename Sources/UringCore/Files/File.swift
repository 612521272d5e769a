/// An open file in async code.
///
/// ```swift
/// try await shard.withFile("/var/log/app.log") { file in
///     for try await line in file.lines() { … }
/// }
/// ```
///
/// Reads and writes take offsets, and any number of tasks may have some under way at once: the order
/// in which they are done is the kernel's choice. It belongs to the shard that opened it; a call from
/// elsewhere throws `.wrongShard`.
///
/// A cancelled task waits until the kernel is done with what it asked, then throws `.cancelled`, or
/// goes on as if nothing had been when all was done already. So it is with the deadline of a scope, and
/// `.deadlineExceeded`.
///
/// > Thread: On its shard only; a copy may go anywhere.
/// > Ownership: Whoever opened it closes it; what is left is closed when the shard's handlers have ended.
public struct File: Sendable {
    let core: FileCore

    init(shard: Shard, file: OpenFile) {
        self.core = FileCore(shard: shard, file: file)
    }

    /// The shard that it lives on.
    public var shard: Shard { core.shard }

    /// Where it was opened; the name may be another's by now.
    public var path: Path { core.file.path }

    /// What offsets and counts of a direct file are multiples of; nil for any other.
    ///
    /// - Throws: `.wrongShard`.
    public var directAlignment: DirectAlignment? {
        get throws(IOError) {
            try core.shard.check(.inspectFile)
            return core.file.directAlignment
        }
    }

    // MARK: Reading

    /// Reads once.
    ///
    /// > Ownership: The bytes lie in memory of the loop's, which goes back with them.
    ///
    /// - Parameters:
    ///   - offset: where, in bytes.
    ///   - count: the most to read: 1 to `OpenFile.transferBytesMax`.
    /// - Returns: at least one byte; nil at the end of the file.
    /// - Throws: EIO, EISDIR for a directory, EBADF for a file that is only written, and others of
    ///   read(2); `.invalidArgument`, `.cancelled`, `.closed`, `.wrongShard`.
    public func read(at offset: UInt64, count: Int) async throws(IOError) -> ReceivedBytes? {
        try await read(at: offset, count: count, fillsAll: false).takeBytes()
    }

    /// Reads exactly so many bytes.
    ///
    /// - Throws: `.truncated` when the file ends before; otherwise as of `read(at:count:)`.
    public func readExactly(at offset: UInt64, count: Int) async throws(IOError) -> ReceivedBytes {
        let call = try await read(at: offset, count: count, fillsAll: true)
        guard call.filledCount == count, let bytes = call.takeBytes() else {
            throw IOError(
                .readFile,
                reason: .truncated,
                detail: "\(path), \(call.filledCount) of \(count) bytes at \(offset)"
            )
        }
        return bytes
    }

    private func read(
        at offset: UInt64,
        count: Int,
        fillsAll: Bool
    ) async throws(IOError) -> ReadCall {
        try core.shard.check(.readFile)
        return try await core.run(
            try core.file.readCall(at: offset, byteCount: count, fillsAll: fillsAll)
        )
    }

    // MARK: Writing

    /// Writes all the bytes, without a copy.
    ///
    /// > Ownership: The bytes move in, and are kept until the kernel has taken them.
    ///
    /// - Throws: ENOSPC, EDQUOT, EFBIG, EIO, EBADF for a file that is only read, and others of write(2),
    ///   saying how many bytes were written before; `.invalidArgument`, `.cancelled`, `.closed`,
    ///   `.wrongShard`.
    public func write(_ bytes: consuming OwnedBytes, at offset: UInt64) async throws(IOError) {
        try await write(bytes.takeContents(), at: offset)
    }

    /// Writes received bytes, without a copy; otherwise as of one's own.
    public func write(_ bytes: consuming ReceivedBytes, at offset: UInt64) async throws(IOError) {
        try core.shard.check(.writeFile)
        let call = try core.file.writeCall(bytes, at: offset)
        _ = try await core.run(call)
    }

    /// Writes a copy of an array; otherwise as of owned bytes.
    public func write(_ bytes: [UInt8], at offset: UInt64) async throws(IOError) {
        // Safety: the bytes are copied before the array ends.
        let owned = unsafe OwnedBytes(copying: bytes.span.bytes)
        try await write(owned, at: offset)
    }

    /// Writes all the bytes at the end of a file that was opened for appending.
    ///
    /// - Throws: as of `write`.
    public func append(_ bytes: consuming OwnedBytes) async throws(IOError) {
        try core.shard.check(.writeFile)
        let call = try core.file.writeCall(bytes.takeContents(), at: nil)
        _ = try await core.run(call)
    }

    /// Writes a copy of an array at the end of a file that was opened for appending.
    ///
    /// - Throws: as of `write`.
    public func append(_ bytes: [UInt8]) async throws(IOError) {
        // Safety: the bytes are copied before the array ends.
        let owned = unsafe OwnedBytes(copying: bytes.span.bytes)
        try await append(owned)
    }

    /// Brings what was written to the device.
    ///
    /// - Parameter isDataOnly: without what is not needed to read it again, such as times (fdatasync(2)).
    /// - Throws: EIO, ENOSPC, EDQUOT of writes that were only cached, told once; otherwise as of `write`.
    public func sync(isDataOnly: Bool = false) async throws(IOError) {
        try core.shard.check(.syncFile)
        _ = try await core.run(core.file.syncCall(isDataOnly: isDataOnly))
    }

    // MARK: The file as a whole

    /// Asks what the file system says of it.
    ///
    /// - Throws: as of statx(2); `.cancelled`, `.closed`, `.wrongShard`.
    public func attributes() async throws(IOError) -> FileAttributes {
        try core.shard.check(.inspectFile)
        return try await core.run(core.file.attributesCall()).attributes
    }

    /// Takes room on the device.
    ///
    /// - Parameters:
    ///   - range: where, in bytes.
    ///   - keepsSize: the file does not become longer.
    /// - Throws: ENOSPC, EFBIG, EOPNOTSUPP where the file system cannot, and others of fallocate(2);
    ///   otherwise as of `write`.
    public func allocate(
        _ range: Range<UInt64>,
        keepsSize: Bool = false
    ) async throws(IOError) {
        try core.shard.check(.allocate)
        _ = try await core.run(try core.file.allocateCall(range, keepsSize: keepsSize))
    }

    /// Cuts the file, or makes it longer with zeros.
    ///
    /// - Throws: EFBIG, EINVAL for a file that is not open for writing, and others of ftruncate(2);
    ///   otherwise as of `write`.
    public func truncate(to byteCount: UInt64) async throws(IOError) {
        try core.shard.check(.truncateFile)
        _ = try await core.run(try core.file.truncateCall(byteCount))
    }

    /// Closes the file when everything that was asked of it is done; closing twice is fine.
    ///
    /// - Throws: what close(2) says, which may be the only news of a write that did not reach the device;
    ///   the file is closed all the same. `.wrongShard`.
    public func close() async throws(IOError) {
        try core.shard.check(.closeFile)
        try await core.close()
    }

    /// Begins to close; nobody is told how it went.
    ///
    /// > Thread: Any thread; elsewhere than on its shard it takes effect soon.
    func closeSoon() {
        core.shard.loop.perform { [core] in core.file.close() }
    }
}

/// A file and the shard it lives on.
///
/// > Thread: On-loop only, but for what says otherwise.
final class FileCore: @unchecked Sendable {
    // Safety: every way in checks that it is on the loop's thread, or posts.
    let shard: Shard
    let file: OpenFile

    init(shard: Shard, file: OpenFile) {
        self.shard = shard
        self.file = file
    }

    /// Begins a call and waits for its end.
    func run<Call: FileCall>(_ call: Call) async throws(IOError) -> Call {
        let wait = CallWait(call, on: shard.loop)
        file.begin(call)
        return try await shard.finish(wait)
    }

    /// Waits for the end of the close, whatever becomes of the task: it is not undone.
    func close() async throws(IOError) {
        // Safety: a file tells once how its close went.
        let result = await unsafe withUnsafeContinuation { continuation in
            file.close { unsafe continuation.resume(returning: $0) }
        }
        try result.get()
    }
}
