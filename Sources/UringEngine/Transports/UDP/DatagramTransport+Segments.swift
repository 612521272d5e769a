/// Many datagrams of one size in one call (UDP_SEGMENT, Linux 4.18).
extension DatagramTransport {
    /// What one call takes at most on every kernel (UDP_MAX_SEGMENTS; Linux 6.9 and later take 128).
    private static let segmentsMax = 64
    /// What fits into one call, less the largest headers.
    private static let callBytesMax = 65_000

    /// Sends bytes as datagrams of `segmentBytes` each, the last one of what is left.
    ///
    /// It costs a system call for up to 64 of them; where the kernel or the path cannot cut, each is sent by
    /// itself.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - bytes: what to send; they are copied only when they must wait.
    ///   - segmentBytes: the size of a datagram, 1 to 65,000 bytes.
    ///   - address: to whom; nil is the peer of a connected endpoint.
    /// - Throws: as `send(_:to:)`, for the first datagram that the kernel refuses; those before it were
    ///   sent. `.invalidArgument` for a size that no datagram has.
    public func send(
        _ bytes: RawSpan,
        inSegmentsOf segmentBytes: Int,
        to address: SocketAddress? = nil
    ) throws(IOError) {
        try checkTarget(address)
        guard (1...Self.callBytesMax).contains(segmentBytes) else {
            throw IOError(
                .send,
                descriptor: descriptor,
                reason: .invalidArgument,
                detail: "segments have 1 to \(Self.callBytesMax) bytes, got \(segmentBytes)"
            )
        }
        let perCall = max(1, min(Self.segmentsMax, Self.callBytesMax / segmentBytes)) * segmentBytes
        var offset = 0
        while offset < bytes.byteCount {
            let end = min(offset + perCall, bytes.byteCount)
            try sendCut(bytes.extracting(offset..<end), segmentBytes, address)
            offset = end
        }
    }

    private func sendCut(
        _ bytes: RawSpan,
        _ segmentBytes: Int,
        _ address: SocketAddress?
    ) throws(IOError) {
        let isCut = bytes.byteCount > segmentBytes && family != Self.unixFamily
        do throws(IOError) {
            let size = isCut ? UInt16(segmentBytes) : 0
            guard isCut || bytes.byteCount <= segmentBytes else {
                return try sendEach(bytes, segmentBytes, address)
            }
            try send(copying: bytes, Target(address: address, segmentBytes: size))
        } catch {
            guard isCut, let errno = error.errno, Self.isOfSegmentation(errno) else { throw error }
            try sendEach(bytes, segmentBytes, address)
        }
    }

    private func sendEach(
        _ bytes: RawSpan,
        _ segmentBytes: Int,
        _ address: SocketAddress?
    ) throws(IOError) {
        var offset = 0
        while offset < bytes.byteCount {
            let end = min(offset + segmentBytes, bytes.byteCount)
            try send(copying: bytes.extracting(offset..<end), Target(address: address))
            offset = end
        }
    }
}
