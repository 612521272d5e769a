/// One connected stream in async code.
///
/// Bytes are read as they come, in pool buffers that the kernel has filled, and can be written on
/// without a copy:
///
/// ```swift
/// while let bytes = try await connection.read() {
///     try await connection.write(bytes)
/// }
/// ```
///
/// It belongs to the shard that accepted or made it. A call from elsewhere throws `.wrongShard`; use
/// `Shard.submit(to:_:)` to get there. One task reads and one writes at a time.
///
/// > Thread: On its shard only; a copy may go anywhere.
/// > Ownership: The shard keeps the descriptor until it is closed. When the handler of
///   `Listener.serve` returns, the connection is closed after what was written has been sent; when it
///   throws, the connection is reset.
public struct Connection: Sendable {
    @usableFromInline let core: ConnectionCore

    init(core: ConnectionCore) {
        self.core = core
    }

    /// The shard that it lives on.
    public var shard: Shard { core.shard }

    /// It was closed or aborted, or has failed: nothing can be written any more.
    public var isClosing: Bool { core.isOnShard && core.transport.isClosing }

    /// The stream's own address.
    ///
    /// - Throws: `.closed` after the end, and what getsockname(2) says.
    public var localAddress: SocketAddress {
        get throws(IOError) {
            try core.checkShard(.readAddress)
            return try core.transport.localAddress()
        }
    }

    /// The peer's address.
    ///
    /// - Throws: `.closed` after the end, and what getpeername(2) says.
    public var peerAddress: SocketAddress {
        get throws(IOError) {
            try core.checkShard(.readAddress)
            return try core.transport.peerAddress()
        }
    }

    /// Sets an option of the socket.
    ///
    /// - Throws: `.closed` after the end, `.invalidArgument` for a value out of range, and what
    ///   setsockopt(2) says.
    public func setOption(_ option: SocketOption) throws(IOError) {
        try core.checkShard(.setOption)
        try core.transport.setOption(option)
    }

    /// Reads an option of the socket.
    ///
    /// - Throws: `.closed` after the end, `.wrongShard`, and what getsockopt(2) says.
    public func option(_ key: SocketOption.Key) throws(IOError) -> SocketOption {
        try core.checkShard(.readOption)
        return try core.transport.option(key)
    }

    /// Sets how much may wait to be sent, in bytes of pinned memory: `write` suspends above `high` until
    /// no more than `low` waits.
    ///
    /// - Throws: `.invalidArgument` unless 0 ≤ low ≤ high.
    public func setWriteBufferLimits(low: Int, high: Int) throws(IOError) {
        try core.checkShard(.setOption)
        try core.transport.setWriteBufferLimits(low: low, high: high)
    }

    /// Ends the connection with `.deadlineExceeded` unless it ended before; nil takes the deadline away.
    ///
    /// - Throws: `.wrongShard`.
    public func setDeadline(_ deadline: Deadline?) throws(IOError) {
        try core.checkShard(.setOption)
        core.transport.setDeadline(deadline)
    }

    // MARK: Reading

    /// Takes what came, or waits for it.
    ///
    /// It does not suspend while received bytes wait to be taken, and an error of the kernel's comes after
    /// them. A read that was cancelled, or whose time was over, loses nothing: what comes later is there
    /// for the next one. The peer is slowed down when nobody reads (see `docs/ARCHITECTURE.md`).
    ///
    /// - Parameter timeout: how long to wait at most.
    /// - Returns: at least one byte; nil when the peer has ended its side, or when the shard drains and
    ///   this connection has nothing under way.
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.busy` when another task reads, `.closed`, `.wrongShard`,
    ///   and what ended the connection (ECONNRESET, ETIMEDOUT, …).
    @inlinable
    public func read(timeout: Duration? = nil) async throws(IOError) -> ReceivedBytes? {
        if let bytes = try core.takeReceived() { return bytes }
        // Inlined, and not by a function of its own: each asynchronous frame costs 140 instructions,
        // and the plain `withUnsafeContinuation` looks for its executor a second time
        // (docs/decisions/0009-async-echo.md).
        switch try core.beginRead(timeout: timeout) {
        case .over: return nil
        case .byOwner:
            // Safety: the reader resumes it exactly once.
            await unsafe _unsafeInheritExecutor_withUnsafeContinuation {
                unsafe core.suspendReader($0)
            }
        case .watched: await core.awaitInput()
        }
        return try core.endRead()
    }

    // MARK: Writing

    /// Queues received bytes without a copy; suspends only while too much waits to be sent.
    ///
    /// Bytes are sent in order, all of them or the connection ends. A write that throws `.cancelled` or
    /// `.deadlineExceeded` has queued its bytes: only the wait ended early.
    ///
    /// > Ownership: The bytes move in; their memory is given back when the kernel has taken them.
    ///
    /// - Parameters:
    ///   - bytes: what to send.
    ///   - timeout: how long to wait at most until less waits to be sent.
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.busy` when another task waits to write, `.closed`,
    ///   `.wrongShard`, and what ended the connection (EPIPE, ECONNRESET, …).
    @inlinable
    public func write(
        _ bytes: consuming ReceivedBytes,
        timeout: Duration? = nil
    ) async throws(IOError) {
        if try core.write(bytes) { return }
        try await core.awaitRoom(timeout: timeout)
    }

    /// Queues the program's own bytes without a copy; otherwise as the write of received bytes.
    @inlinable
    public func write(
        _ bytes: consuming OwnedBytes,
        timeout: Duration? = nil
    ) async throws(IOError) {
        if try core.write(bytes) { return }
        try await core.awaitRoom(timeout: timeout)
    }

    /// Queues a copy of an array; otherwise as the write of received bytes.
    @inlinable
    public func write(_ bytes: [UInt8], timeout: Duration? = nil) async throws(IOError) {
        if try core.write(bytes) { return }
        try await core.awaitRoom(timeout: timeout)
    }

    /// Ends the output after what was written: the peer sees the end of the stream, and can still send.
    ///
    /// - Throws: `.closed` when the connection has ended, `.wrongShard`.
    public func finish() throws(IOError) {
        try core.checkShard(.shutdown)
        try core.checkWritable(.shutdown)
        guard !core.transport.isClosing else { throw core.endError(.shutdown) }
        core.transport.writeEOF()
    }

    // MARK: Ending

    /// Closes after everything that was written has been sent, and waits until it has.
    ///
    /// - Parameter timeout: how long to wait at most; the close goes on after it.
    /// - Throws: what kept the peer from getting it all, `.cancelled`, `.deadlineExceeded`, `.wrongShard`.
    public func close(timeout: Duration? = nil) async throws(IOError) {
        try core.checkShard(.close)
        core.close()
        try await core.awaitEnd(timeout: timeout)
    }

    /// Ends at once: what was not sent is lost, and the peer gets a reset.
    ///
    /// > Thread: Any thread; elsewhere than on its shard it takes effect soon.
    public func abort() {
        core.abort()
    }
}
