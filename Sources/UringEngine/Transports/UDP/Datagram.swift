/// One datagram that came: its bytes, who sent it, and whether all of it is there.
///
/// An empty one is a datagram like any other.
///
/// > Thread: Any thread may hold and end it.
/// > Ownership: One owner. While it lives, its pool buffer is not given to the kernel.
public struct Datagram: ~Copyable, Sendable {
    /// Its bytes, as `takeBytes` moves them out.
    let contents: ReceivedBytes
    /// Who sent it; `.unix([])` is a Unix sender without a name, which cannot be answered.
    public let sender: SocketAddress
    /// It was longer than there was room for: its end is lost.
    ///
    /// The room is a pool buffer (`LoopOptions.bufferBytes`) less 16 bytes and those of the sender's
    /// address.
    public let isTruncated: Bool

    @inline(__always)
    init(_ contents: consuming ReceivedBytes, from sender: SocketAddress, isTruncated: Bool) {
        self.contents = contents
        self.sender = sender
        self.isTruncated = isTruncated
    }

    /// How many bytes it has; none is possible.
    public var byteCount: Int { contents.byteCount }

    /// Calls `body` with the bytes; they are valid during the call.
    public borrowing func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try contents.withBytes(body)
    }

    /// Copies the bytes into an array.
    public borrowing func copyToArray() -> [UInt8] { contents.copyToArray() }

    /// Moves the bytes out, to be kept or sent on without a copy.
    public consuming func takeBytes() -> ReceivedBytes { contents }

    /// What it pins, in bytes.
    var pinnedBytes: Int { contents.pinnedBytes }

    /// Moves the bytes to the heap, so that the pool buffer is free again.
    consuming func copiedToHeap() -> Datagram {
        let (sender, isTruncated) = (sender, isTruncated)
        return Datagram(contents.copiedToHeap(), from: sender, isTruncated: isTruncated)
    }
}
