/// Reads a connection by counts, delimiters, lines and frames, whatever pieces its bytes come in.
///
/// ```swift
/// let reader = ConnectionReader(connection)
/// let header = try await reader.readExactly(16)
/// while let line = try await reader.readLine() { }
/// ```
///
/// It reads no more than it has to: a peer is slowed down while nobody asks. What it took from the
/// connection and has not handed out, it keeps, at most one received piece more than the call at hand
/// needs; it pins no pool buffer. A call that was cancelled, or whose deadline passed, has lost
/// nothing: the next one finds all of it.
///
/// Bytes that only pass through are cheaper with `Connection.read`, which copies nothing.
///
/// > Thread: On the connection's shard; one task at a time, which the compiler checks.
public final class ConnectionReader {
    /// Where it reads from.
    public let connection: Connection
    private var bytes: [UInt8] = []
    /// What lies before it in `bytes` was handed out.
    private var start = 0
    private var hasEnded = false

    /// Reads from here on; nothing else should read the connection meanwhile.
    public init(_ connection: Connection) {
        self.connection = connection
    }

    /// Bytes that were received and not handed out.
    public var bufferedCount: Int { bytes.count - start }

    // MARK: Reading

    /// What is there, or comes next.
    ///
    /// - Returns: at least one byte; nil at the end.
    /// - Throws: as `Connection.read`.
    public func read() async throws(IOError) -> [UInt8]? {
        if bufferedCount == 0, try await !fill() { return nil }
        return take(bufferedCount)
    }

    /// Exactly so many bytes.
    ///
    /// - Parameter count: 0 or more.
    /// - Returns: as many.
    /// - Throws: `.peerGone` when the stream ends before, saying how many there were: `read` gets them;
    ///   `.invalidArgument` for a negative count; otherwise as `Connection.read`.
    public func readExactly(_ count: Int) async throws(IOError) -> [UInt8] {
        guard count >= 0 else {
            throw IOError(
                .receive,
                reason: .invalidArgument,
                detail: "\(count) bytes; accepted: 0 or more"
            )
        }
        try await require(count)
        return take(count)
    }

    /// Everything up to a delimiter, which is taken too and not handed out.
    ///
    /// - Parameters:
    ///   - delimiter: at least one byte.
    ///   - limit: the most bytes before it.
    /// - Returns: what stands before the delimiter; nil at the end of the stream.
    /// - Throws: `.tooLong` when no delimiter comes within the limit, `.peerGone` when the stream ends
    ///   before it: what came can still be read after either; `.invalidArgument` for an empty delimiter or
    ///   a negative limit; otherwise as `Connection.read`.
    public func readUntil(
        _ delimiter: [UInt8],
        limit: Int = 65_536
    ) async throws(IOError) -> [UInt8]? {
        guard let count = try await find(delimiter, limit) else {
            guard bufferedCount > 0 else { return nil }
            throw ended("a delimiter")
        }
        let found = take(count)
        drop(delimiter.count)
        return found
    }

    /// The next line, without its end: LF or CR LF.
    ///
    /// - Parameter limit: the most bytes before the line's end.
    /// - Returns: the line, a last one without an end too, bytes that are no UTF-8 replaced by U+FFFD; nil
    ///   at the end of the stream.
    /// - Throws: `.tooLong`; otherwise as `Connection.read`.
    public func readLine(limit: Int = 65_536) async throws(IOError) -> String? {
        var line: [UInt8]
        if let count = try await find([UInt8(ascii: "\n")], limit) {
            line = take(count)
            drop(1)
        } else {
            guard bufferedCount > 0 else { return nil }
            line = take(bufferedCount)
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }

    /// The next frame.
    ///
    /// - Parameter format: how lengths are written, and how long a frame may be.
    /// - Returns: the frame without its length; nil when the stream ends before one.
    /// - Throws: `.tooLong` before any of a longer frame is taken, `.peerGone` when the stream ends in the
    ///   middle of one; otherwise as `Connection.read`.
    public func readFrame(_ format: FrameFormat = FrameFormat()) async throws(IOError) -> [UInt8]? {
        if bufferedCount == 0, try await !fill() { return nil }
        let width = format.lengthWidth.rawValue
        try await require(width)
        guard let length = format.length(bytes[start..<start + width]) else {
            throw format.tooLong(.receive, "a longer frame came")
        }
        try await require(width + length)
        drop(width)
        return take(length)
    }

    // MARK: What is kept

    /// Takes the next piece in.
    ///
    /// - Returns: false at the end of the stream.
    private func fill() async throws(IOError) -> Bool {
        guard !hasEnded else { return false }
        guard let piece = try await connection.read() else {
            hasEnded = true
            return false
        }
        // Safety: the bytes are copied during the call.
        piece.withBytes { span in
            unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
        return true
    }

    private func require(_ count: Int) async throws(IOError) {
        while bufferedCount < count {
            guard try await fill() else { throw ended("\(count) bytes") }
        }
    }

    private func ended(_ wanted: String) -> IOError {
        IOError(
            .receive,
            reason: .peerGone,
            detail: "the stream ended with \(bufferedCount) bytes left, before \(wanted)"
        )
    }

    /// - Returns: how many bytes stand before the delimiter; nil when the stream ends without one.
    private func find(_ delimiter: [UInt8], _ limit: Int) async throws(IOError) -> Int? {
        guard let first = delimiter.first, limit >= 0 else {
            throw IOError(
                .receive,
                reason: .invalidArgument,
                detail:
                    "a delimiter of \(delimiter.count) bytes within \(limit); accepted: 1 or more,"
                    + " within 0 or more"
            )
        }
        var looked = 0
        while true {
            while let place = bytes[(start + looked)...].firstIndex(of: first) {
                looked = place - start
                guard looked <= limit, bytes.count - place >= delimiter.count else { break }
                if bytes[place..<place + delimiter.count].elementsEqual(delimiter) { return looked }
                looked += 1
            }
            if bytes[(start + looked)...].first != first { looked = bufferedCount }
            guard looked <= limit else {
                throw IOError(
                    .receive,
                    reason: .tooLong,
                    detail: "no delimiter within \(limit) bytes"
                )
            }
            guard try await fill() else { return nil }
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        defer { drop(count) }
        return Array(bytes[start..<start + count])
    }

    private func drop(_ count: Int) {
        start += count
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.count <= 65_536)
            start = 0
        } else if start > 65_536, start > bytes.count / 2 {
            bytes.removeFirst(start)
            start = 0
        }
    }
}
