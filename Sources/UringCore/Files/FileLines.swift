/// The lines of a file, as UTF-8; what is none is replaced (U+FFFD).
///
/// > Thread: On the file's shard only; a copy may go anywhere.
public struct FileLines: AsyncSequence, Sendable {
    /// One line, without its end.
    public typealias Element = String
    /// What a read says.
    public typealias Failure = IOError

    let chunks: FileChunks
    let lineBytesMax: Int

    /// Begins to read with the first `next`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(chunks: chunks.makeAsyncIterator(), path: chunks.file.path, lineBytesMax)
    }

    /// Hands the lines out, in order.
    ///
    /// > Thread: On the file's shard only.
    public struct Iterator: AsyncIteratorProtocol {
        private var chunks: FileChunks.Iterator
        private let path: Path
        private let lineBytesMax: Int
        private var chunk: FileChunk?
        /// Where the next line begins in the chunk.
        private var position = 0
        /// What earlier chunks had of it.
        private var begun: [UInt8] = []
        private var lineCount = 0

        init(chunks: FileChunks.Iterator, path: Path, _ lineBytesMax: Int) {
            self.chunks = chunks
            self.path = path
            self.lineBytesMax = lineBytesMax
        }

        /// The next line; nil after the last.
        ///
        /// - Throws: `.invalidArgument` for a line that is longer than the limit; otherwise as of
        ///   `File.read(at:count:)`.
        public mutating func next() async throws(IOError) -> String? {
            while true {
                if chunk == nil {
                    chunk = try await chunks.next()
                    position = 0
                }
                guard let chunk else { return try last() }
                if let end = find(in: chunk) { return try line(of: chunk, to: end) }
                try keep(chunk)
                self.chunk = nil
            }
        }

        // Safety: each byte is loaded within the chunk.
        private func find(in chunk: FileChunk) -> Int? {
            chunk.withBytes { bytes in
                for place in position..<bytes.byteCount
                where unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self) == 0x0A {
                    return place
                }
                return nil
            }
        }

        /// The line ends within the chunk.
        private mutating func line(of chunk: FileChunk, to end: Int) throws(IOError) -> String {
            append(chunk, to: end)
            position = end + 1
            if position == chunk.byteCount { self.chunk = nil }
            return try finish(endsWithLineFeed: true)
        }

        /// The line goes on in the next chunk.
        private mutating func keep(_ chunk: FileChunk) throws(IOError) {
            append(chunk, to: chunk.byteCount)
            // One more byte may be the CR of its end.
            if begun.count - 1 > lineBytesMax { throw tooLong() }
        }

        private mutating func append(_ chunk: FileChunk, to end: Int) {
            chunk.withBytes { bytes in
                let part = bytes.extracting(position..<end)
                // Safety: the bytes are copied before the span ends.
                unsafe part.withUnsafeBytes { unsafe begun.append(contentsOf: $0) }
            }
        }

        private mutating func last() throws(IOError) -> String? {
            begun.isEmpty ? nil : try finish(endsWithLineFeed: false)
        }

        private mutating func finish(endsWithLineFeed: Bool) throws(IOError) -> String {
            if endsWithLineFeed, begun.last == 0x0D { begun.removeLast() }
            guard begun.count <= lineBytesMax else { throw tooLong() }
            lineCount += 1
            defer { begun.removeAll(keepingCapacity: true) }
            return String(decoding: begun, as: UTF8.self)
        }

        private func tooLong() -> IOError {
            IOError(
                .readFile,
                reason: .invalidArgument,
                detail: "\(path): line \(lineCount + 1) is longer than \(lineBytesMax) bytes"
            )
        }
    }
}
