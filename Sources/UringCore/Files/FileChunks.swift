/// How a file is read in one sweep.
///
/// > Thread: Any thread.
public struct FileChunkOptions: Hashable, Sendable {
    /// The size of one chunk, in bytes: 1 to `OpenFile.transferBytesMax`, for a direct file a multiple of
    /// its alignment; the last is shorter.
    public var chunkBytes = 131_072
    /// How many chunks are read before they are asked for: 0 to 64.
    public var chunksAhead = 1

    /// The defaults.
    public init() {}

    /// Chooses the size.
    public init(chunkBytes: Int) {
        self.chunkBytes = chunkBytes
    }

    func check(_ path: Path) throws(IOError) {
        guard (1...OpenFile.transferBytesMax).contains(chunkBytes) else {
            throw IOError(
                .readFile,
                reason: .invalidArgument,
                detail:
                    "\(path): a chunk has 1 to \(OpenFile.transferBytesMax) bytes, not \(chunkBytes)"
            )
        }
        guard (0...64).contains(chunksAhead) else {
            throw IOError(
                .readFile,
                reason: .invalidArgument,
                detail: "\(path): 0 to 64 chunks are read ahead, not \(chunksAhead)"
            )
        }
    }
}

/// One piece of a file.
///
/// > Thread: Any thread.
/// > Ownership: Its memory goes back with its last holder.
public final class FileChunk: Sendable {
    /// Where it begins in the file, in bytes.
    public let offset: UInt64
    private let bytes: ReceivedBytes

    init(offset: UInt64, _ bytes: consuming ReceivedBytes) {
        self.offset = offset
        self.bytes = bytes
    }

    /// How many bytes there are, at least one.
    public var byteCount: Int { bytes.byteCount }

    /// Calls `body` with the bytes; they are valid during the call.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try bytes.withBytes(body)
    }

    /// Copies the bytes into an array.
    public func copyToArray() -> [UInt8] { bytes.copyToArray() }
}

/// The content of a file, chunk by chunk, read ahead of who takes it.
///
/// > Thread: On the file's shard only; a copy may go anywhere.
public struct FileChunks: AsyncSequence, Sendable {
    /// One piece of the file.
    public typealias Element = FileChunk
    /// What a read says.
    public typealias Failure = IOError

    let file: File
    let range: Range<UInt64>
    let options: FileChunkOptions

    /// Begins to read with the first `next`.
    public func makeAsyncIterator() -> Iterator { Iterator(chunks: self) }

    /// Hands the chunks out, in order.
    ///
    /// > Thread: On the file's shard only.
    public struct Iterator: AsyncIteratorProtocol {
        private let chunks: FileChunks
        private var reader: FileReader?

        init(chunks: FileChunks) {
            self.chunks = chunks
        }

        /// The next chunk; nil at the end of the file or of the range.
        ///
        /// - Throws: as of `File.read(at:count:)`.
        public mutating func next() async throws(IOError) -> FileChunk? {
            if reader == nil { reader = try makeReader() }
            guard let reader else { return nil }
            let offset = reader.offset
            guard let bytes = try await reader.next() else { return nil }
            return FileChunk(offset: offset, bytes)
        }

        private func makeReader() throws(IOError) -> FileReader {
            try chunks.options.check(chunks.file.path)
            let range = chunks.range
            return FileReader(
                chunks.file.core,
                from: range.lowerBound,
                to: range.upperBound,
                chunks.options
            )
        }
    }
}

extension File {
    /// The content, chunk by chunk.
    ///
    /// - Parameters:
    ///   - range: which bytes; beyond the end of the file there are none.
    ///   - options: the size of a chunk, and how many are read ahead.
    /// - Returns: the chunks; nothing is read before the first is asked for.
    public func chunks(
        in range: Range<UInt64> = 0..<UInt64(Int64.max),
        options: FileChunkOptions = FileChunkOptions()
    ) -> FileChunks {
        FileChunks(file: self, range: range, options: options)
    }

    /// The content, line by line: ended by LF or CR LF, which are left out; the last one may have no end.
    ///
    /// - Parameters:
    ///   - lineBytesMax: the longest line, in bytes; a longer one throws `.invalidArgument`.
    ///   - options: how the file is read.
    /// - Returns: the lines; nothing is read before the first is asked for.
    public func lines(
        lineBytesMax: Int = 1 << 20,
        options: FileChunkOptions = FileChunkOptions()
    ) -> FileLines {
        FileLines(chunks: chunks(options: options), lineBytesMax: lineBytesMax)
    }
}
