/// What a reader hands out, one after the other: chunks, lines or frames.
///
/// Nothing is read before it is asked for: a slow loop slows the peer down.
///
/// > Thread: On the connection's shard; one task at a time.
public struct ReadSequence<Element: Sendable>: AsyncSequence {
    /// Whose bytes they are.
    enum Source {
        /// A reader that goes on when the iteration is over.
        case reader(ConnectionReader)
        /// A new reader for each iteration.
        case connection(Connection)
    }

    private let source: Source
    private let read: (ConnectionReader) async throws(IOError) -> Element?

    init(
        _ source: Source,
        _ read: @escaping (ConnectionReader) async throws(IOError) -> Element?
    ) {
        self.source = source
        self.read = read
    }

    /// Reads until the stream ends.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let reader: ConnectionReader
        fileprivate let read: (ConnectionReader) async throws(IOError) -> Element?

        /// The next one; nil at the end of the stream.
        public mutating func next() async throws(IOError) -> Element? {
            try await read(reader)
        }

        /// The next one, where the caller is.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(IOError) -> Element? {
            try await read(reader)
        }
    }

    /// Begins, or goes on, to read.
    public func makeAsyncIterator() -> AsyncIterator {
        switch source {
        case .reader(let reader): AsyncIterator(reader: reader, read: read)
        case .connection(let connection):
            AsyncIterator(reader: ConnectionReader(connection), read: read)
        }
    }
}

extension ConnectionReader {
    /// Pieces as they come, as of `read`.
    public var chunks: ReadSequence<[UInt8]> {
        ReadSequence(.reader(self)) { (reader) throws(IOError) in try await reader.read() }
    }

    /// Lines, as of `readLine(limit:)`; the reader goes on behind the last one that was taken.
    public func lines(limit: Int = 65_536) -> ReadSequence<String> {
        ReadSequence(.reader(self)) { (reader) throws(IOError) in
            try await reader.readLine(limit: limit)
        }
    }

    /// Frames, as of `readFrame(_:)`; the reader goes on behind the last one that was taken.
    public func frames(_ format: FrameFormat = FrameFormat()) -> ReadSequence<[UInt8]> {
        ReadSequence(.reader(self)) { (reader) throws(IOError) in try await reader.readFrame(format)
        }
    }
}

extension Connection {
    /// Received pieces, each as a copy; `read` hands them out without one.
    ///
    /// > Thread: On its shard.
    public var chunks: ReadSequence<[UInt8]> {
        ReadSequence(.connection(self)) { (reader) throws(IOError) in try await reader.read() }
    }

    /// Lines, as of `ConnectionReader.readLine(limit:)`.
    ///
    /// Each iteration has a reader of its own, which keeps what it read ahead: what comes after the last
    /// line that was taken is lost with it. `ConnectionReader.lines` goes on.
    ///
    /// > Thread: On its shard.
    public func lines(limit: Int = 65_536) -> ReadSequence<String> {
        ReadSequence(.connection(self)) { (reader) throws(IOError) in
            try await reader.readLine(limit: limit)
        }
    }

    /// Length-prefixed frames, as of `ConnectionReader.readFrame(_:)`, with a reader as of `lines`.
    ///
    /// > Thread: On its shard.
    public func frames(_ format: FrameFormat = FrameFormat()) -> ReadSequence<[UInt8]> {
        ReadSequence(.connection(self)) { (reader) throws(IOError) in
            try await reader.readFrame(format)
        }
    }
}
