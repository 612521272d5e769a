internal import CUring

/// The control messages that came with a datagram (cmsg(3)): a sequence that ends at the first one
/// that does not fit.
///
/// It reads any bytes: a length that lies ends the sequence, and no read leaves the bytes.
///
/// > Thread: Any thread.
/// > Ownership: It borrows the bytes.
@safe package struct ControlMessages: Sequence, IteratorProtocol {
    /// One control message.
    package struct Element: Hashable, Sendable {
        /// The protocol that it belongs to, such as IPPROTO_UDP.
        package let level: Int32
        /// What it is, among those of its protocol.
        package let type: Int32
        /// Where its data lie in the bytes.
        package let data: Range<Int>
    }

    // Safety: whoever makes one keeps the bytes as long as it lives.
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// The length, the level and the type.
    private static let headBytes = 16
    private static let alignment = MemoryLayout<UInt>.size

    /// Reads the control data of one datagram.
    package init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    /// The next message; nil behind the last.
    package mutating func next() -> Element? {
        let left = unsafe bytes.count - offset
        guard left >= Self.headBytes else { return nil }
        let start = offset
        // Safety: the head lies within the bytes.
        let length = unsafe bytes.loadUnaligned(fromByteOffset: start, as: UInt.self)
        guard length >= Self.headBytes, length <= left else {
            offset += left
            return nil
        }
        let end = start + Int(length)
        // The last one need not be padded.
        offset = Swift.min((end + Self.alignment - 1) & ~(Self.alignment - 1), start + left)
        return Element(
            level: unsafe bytes.loadUnaligned(fromByteOffset: start + 8, as: Int32.self),
            type: unsafe bytes.loadUnaligned(fromByteOffset: start + 12, as: Int32.self),
            data: start + Self.headBytes..<end
        )
    }

    /// The size of the segments that the kernel has put together (UDP_GRO); nil when it is one datagram.
    package static func segmentBytes(in bytes: UnsafeRawBufferPointer) -> Int? {
        for message in unsafe ControlMessages(bytes)
        where message.level == Int32(CU_UDP_LEVEL) && message.type == Int32(CU_UDP_GRO) {
            guard message.data.count >= MemoryLayout<Int32>.size else { return nil }
            // Safety: four bytes of data are there.
            let size = unsafe bytes.loadUnaligned(
                fromByteOffset: message.data.lowerBound,
                as: Int32.self
            )
            return size > 0 ? Int(size) : nil
        }
        return nil
    }
}
