internal import CUring
internal import Glibc

/// How a received datagram lies in its buffer: a head (struct io_uring_recvmsg_out), room for its
/// sender, room for control data, then its bytes.
///
/// > Thread: Any thread.
package struct MessageLayout: Hashable, Sendable {
    /// Room for the sender's address, in bytes; none on a connected socket, whose peer is known.
    package let nameBytes: Int
    /// Room for control data, in bytes.
    package let controlBytes: Int

    /// Describes a layout.
    package init(nameBytes: Int, controlBytes: Int) {
        self.nameBytes = nameBytes
        self.controlBytes = controlBytes
    }

    /// The layout for a socket of this family.
    package init(family: Int32, isConnected: Bool, receivesSegments: Bool) {
        controlBytes = receivesSegments ? Int(CU_GRO_CONTROL_BYTES) : 0
        guard !isConnected else {
            nameBytes = 0
            return
        }
        nameBytes =
            switch family {
            case AF_INET: MemoryLayout<sockaddr_in>.size
            case AF_INET6: (MemoryLayout<sockaddr_in6>.size + 7) & ~7
            default: (MemoryLayout<sockaddr_un>.size + 7) & ~7
            }
    }

    /// The size of the head, in bytes.
    package static let headBytes = MemoryLayout<io_uring_recvmsg_out>.size

    /// Where a datagram's bytes begin.
    package var payloadOffset: Int { Self.headBytes &+ nameBytes &+ controlBytes }
}

/// The head of a received datagram, and where its parts are: all within the bytes that were given,
/// whatever these say.
///
/// > Thread: Any thread.
package struct MessageHead: Hashable, Sendable {
    /// The sender's address.
    package let name: Range<Int>
    /// The control data.
    package let control: Range<Int>
    /// The datagram's own bytes.
    package let payload: Range<Int>
    /// There were more bytes than the buffer had room for.
    package let isTruncated: Bool

    /// The flag that says so (recvmsg(2), MSG_TRUNC).
    package static let truncated = Int32(MSG_TRUNC)

    /// Reads the head of a buffer that a multishot receive has filled.
    ///
    /// It is nil when the bytes end before the place where the datagram's begin.
    ///
    /// - Parameters:
    ///   - bytes: what the completion counts.
    ///   - layout: as it was asked for.
    @inline(__always)
    package init?(_ bytes: UnsafeRawBufferPointer, layout: MessageLayout) {
        let payloadOffset = layout.payloadOffset
        guard bytes.count >= payloadOffset else { return nil }
        // Safety: the head's sixteen bytes are there.
        let nameLength = unsafe bytes.loadUnaligned(as: UInt32.self)
        let controlLength = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let flags = unsafe bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        // The kernel tells an address's whole length, also when it had room for less.
        let nameCount = min(Int(nameLength), layout.nameBytes)
        let controlStart = MessageLayout.headBytes &+ layout.nameBytes
        let controlCount = min(Int(controlLength), layout.controlBytes)
        name = MessageLayout.headBytes..<MessageLayout.headBytes &+ nameCount
        control = controlStart..<controlStart &+ controlCount
        payload = payloadOffset..<bytes.count
        isTruncated = flags & UInt32(bitPattern: Self.truncated) != 0
    }
}
