/// Gathers small writes to a connection until they are flushed, or fill a buffer.
///
/// ```swift
/// try await connection.withWriter { writer in
///     try await writer.write("HTTP/1.0 200 OK\r\n")
///     try await writer.write("\r\n")
/// }
/// ```
///
/// What was not flushed when it ends was never sent; `Connection.withWriter` flushes at its end.
///
/// > Thread: On the connection's shard; one task at a time, which the compiler checks.
public final class ConnectionWriter {
    /// Where it writes to.
    public let connection: Connection
    /// How many bytes it gathers before it writes them by itself.
    public let capacity: Int
    private var bytes: [UInt8] = []

    /// Writes to a connection.
    ///
    /// - Parameters:
    ///   - connection: where to.
    ///   - capacity: how many bytes to gather; with zero or less, every write goes out at once.
    public init(_ connection: Connection, capacity: Int = 16_384) {
        self.connection = connection
        self.capacity = max(0, capacity)
    }

    /// Bytes that were written and not flushed.
    public var bufferedCount: Int { bytes.count }

    /// Adds bytes; waits only when they fill the buffer and too much waits to be sent.
    ///
    /// - Throws: as `flush`; the bytes were added.
    public func write(_ added: some Collection<UInt8>) async throws(IOError) {
        bytes.append(contentsOf: added)
        if bytes.count >= capacity { try await flush() }
    }

    /// Adds a text as UTF-8.
    ///
    /// - Throws: as `write` of bytes.
    public func write(_ text: String) async throws(IOError) {
        try await write(text.utf8)
    }

    /// Adds a length, and as many bytes.
    ///
    /// - Throws: `.tooLong` for more than the format accepts: nothing was added then; otherwise as `write`.
    public func writeFrame(
        _ frame: some Collection<UInt8>,
        _ format: FrameFormat = FrameFormat()
    ) async throws(IOError) {
        bytes.append(contentsOf: try format.field(of: frame.count))
        try await write(frame)
    }

    /// Queues everything that was written; waits only while too much waits to be sent.
    ///
    /// - Throws: `.cancelled` or `.deadlineExceeded`: all of it was queued, only the wait ended early;
    ///   `.busy`, `.closed`, `.wrongShard` and what ended the connection: then nothing was, and it is still
    ///   here.
    public func flush() async throws(IOError) {
        guard !bytes.isEmpty else { return }
        let core = connection.core
        let hasRoom = try core.write(bytes)
        bytes.removeAll(keepingCapacity: bytes.count <= 65_536)
        if !hasRoom { try await core.awaitRoom(timeout: nil) }
    }
}

extension Connection {
    /// Gathers what `body` writes, and flushes when it returns.
    ///
    /// - Parameters:
    ///   - capacity: how many bytes to gather before they are written by themselves.
    ///   - body: writes; what it had not flushed when it throws is dropped.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws, and as `ConnectionWriter.flush`.
    public func withWriter<Value>(
        capacity: Int = 16_384,
        _ body: (ConnectionWriter) async throws -> Value
    ) async throws -> Value {
        let writer = ConnectionWriter(self, capacity: capacity)
        let value = try await body(writer)
        try await writer.flush()
        return value
    }

    /// Uses a connection, and ends it with the scope: closed when `body` returns, reset when it throws.
    ///
    /// For those of `Listener.connections` and `Shard.connect`, which are closed by nobody else. Reads of
    /// the calling task cost less in it.
    ///
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; `.wrongShard`.
    public func use<Value>(_ body: (Connection) async throws -> Value) async throws -> Value {
        try core.checkShard(.wait)
        return try await core.own { try await body(self) }
    }
}
