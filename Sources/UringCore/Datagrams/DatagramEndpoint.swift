/// A datagram socket in async code.
///
/// ```swift
/// let endpoint = try shard.bindDatagram(to: SocketAddress(host: "127.0.0.1", port: 7000))
/// while let datagram = try await endpoint.receive() {
///     let sender = datagram.sender
///     try await endpoint.send(datagram.takeBytes(), to: sender)
/// }
/// ```
///
/// It belongs to the shard that opened it. A call from elsewhere throws `.wrongShard`; use
/// `Shard.submit(to:_:)` to get there. One task receives and one sends at a time.
///
/// > Thread: On its shard only; a copy may go anywhere.
/// > Ownership: It is closed when nobody holds it any more, and at the latest when the shard's handler has
/// > ended.
public struct DatagramEndpoint: Sendable {
    let core: DatagramCore
    private let hold: Hold

    /// Ends the endpoint with the last copy of it.
    private final class Hold: Sendable {
        private let core: DatagramCore

        init(_ core: DatagramCore) {
            self.core = core
        }

        deinit {
            core.abort()
        }
    }

    init(core: DatagramCore) {
        self.core = core
        self.hold = Hold(core)
    }

    /// The shard that it lives on.
    public var shard: Shard { core.shard }

    /// It was closed or aborted, or has failed: nothing can be sent any more.
    public var isClosing: Bool { core.isOnShard && core.transport.isClosing }

    /// The peer of a connected endpoint; nil when it hears everybody.
    public var peer: SocketAddress? { core.transport.peer }

    /// The endpoint's own address.
    ///
    /// - Throws: `.closed` after the end, `.wrongShard`, and what getsockname(2) says.
    public var localAddress: SocketAddress {
        get throws(IOError) {
            try core.checkShard(.readAddress)
            return try core.transport.localAddress()
        }
    }

    /// Sets an option of the socket.
    ///
    /// - Throws: `.closed` after the end, `.wrongShard`, and what setsockopt(2) says.
    public func setOption(_ option: SocketOption) throws(IOError) {
        try core.checkShard(.setOption)
        try core.transport.setOption(option)
    }

    /// Sets how much may wait to be sent, in bytes of pinned memory: `send` suspends above `high` until
    /// no more than `low` waits.
    ///
    /// - Throws: `.invalidArgument` unless 0 ≤ low ≤ high.
    public func setWriteBufferLimits(low: Int, high: Int) throws(IOError) {
        try core.checkShard(.setOption)
        try core.transport.setWriteBufferLimits(low: low, high: high)
    }

    // MARK: Receiving

    /// Takes the next datagram, or waits for it.
    ///
    /// It does not suspend while datagrams wait to be taken. A receive that was cancelled, or whose time
    /// was over, loses nothing. When nobody receives, what comes stays in the kernel, which drops what it
    /// has no room for.
    ///
    /// - Parameter timeout: how long to wait at most.
    /// - Returns: a datagram, which may be empty; nil when the shard drains and none is left.
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.busy` when another task receives, `.closed`,
    ///   `.wrongShard`. What the network says of an earlier datagram (ECONNREFUSED, EHOSTUNREACH, …) is thrown
    ///   once, and the endpoint lives on.
    public func receive(timeout: Duration? = nil) async throws(IOError) -> Datagram? {
        try await core.receive(timeout: timeout)
    }

    /// The datagrams that come, copied, until the shard drains.
    public var datagrams: DatagramSequence { DatagramSequence(endpoint: self) }

    // MARK: Sending

    /// Sends received bytes without a copy; suspends only while too much waits to be sent.
    ///
    /// A send that throws `.cancelled` or `.deadlineExceeded` has queued its datagram: only the wait ended
    /// early.
    ///
    /// - Parameters:
    ///   - bytes: what to send.
    ///   - address: to whom; nil is the peer of a connected endpoint.
    ///   - timeout: how long to wait at most until less waits to be sent.
    /// - Throws: EMSGSIZE for more than one datagram holds, and others of sendto(2); `.cancelled`,
    ///   `.deadlineExceeded`, `.busy`, `.closed`, `.invalidArgument`, `.wrongShard`.
    public func send(
        _ bytes: consuming ReceivedBytes,
        to address: SocketAddress? = nil,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try core.checkSending()
        if let address {
            try core.transport.send(bytes, to: address)
        } else {
            try core.transport.send(bytes)
        }
        try await core.awaitRoom(timeout: timeout)
    }

    /// Sends the program's own bytes without a copy; otherwise as the send of received bytes.
    public func send(
        _ bytes: consuming OwnedBytes,
        to address: SocketAddress? = nil,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try core.checkSending()
        try core.transport.send(bytes, to: address)
        try await core.awaitRoom(timeout: timeout)
    }

    /// Sends an array; otherwise as the send of received bytes.
    public func send(
        _ bytes: [UInt8],
        to address: SocketAddress? = nil,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try core.checkSending()
        try core.transport.send(bytes, to: address)
        try await core.awaitRoom(timeout: timeout)
    }

    /// Sends an array as datagrams of `segmentBytes` each, up to 64 of them a system call (UDP_SEGMENT).
    ///
    /// - Throws: as of received bytes, for the first datagram that the kernel refuses; those before it were
    ///   sent.
    public func send(
        _ bytes: [UInt8],
        inSegmentsOf segmentBytes: Int,
        to address: SocketAddress? = nil,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try core.checkSending()
        // Safety: the span ends with the array's own access.
        try unsafe core.transport.send(bytes.span.bytes, inSegmentsOf: segmentBytes, to: address)
        try await core.awaitRoom(timeout: timeout)
    }

    // MARK: Ending

    /// Closes after everything that was queued has been sent, and waits until it has.
    ///
    /// - Parameter timeout: how long to wait at most; the close goes on after it.
    /// - Throws: what kept datagrams from being sent, `.cancelled`, `.deadlineExceeded`, `.wrongShard`.
    public func close(timeout: Duration? = nil) async throws(IOError) {
        try core.checkShard(.close)
        core.close()
        try await core.awaitEnd(timeout: timeout)
    }

    /// Ends at once: what was not sent is lost.
    ///
    /// > Thread: Any thread; elsewhere than on its shard it takes effect soon.
    public func abort() {
        core.abort()
    }
}
