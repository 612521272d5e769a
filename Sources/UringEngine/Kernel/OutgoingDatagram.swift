package import CUring

/// One datagram on its way into the kernel.
///
/// > Thread: On-loop only.
/// > Ownership: It borrows bytes and address for the call that it is given to.
@safe package struct OutgoingDatagram {
    // Safety: see Ownership.
    /// What to send; no bytes at all are a datagram too.
    package let bytes: UnsafeRawBufferPointer
    /// To whom; nil on a connected socket.
    package let address: UnsafePointer<cu_address>?
    /// Cut the bytes into datagrams of this size (UDP_SEGMENT); zero sends them as one.
    package let segmentBytes: UInt16

    /// Describes a datagram.
    package init(
        bytes: UnsafeRawBufferPointer,
        address: UnsafePointer<cu_address>?,
        segmentBytes: UInt16 = 0
    ) {
        unsafe self.bytes = bytes
        unsafe self.address = address
        self.segmentBytes = segmentBytes
    }

    /// Hands it to the kernel (sendto(2), sendmsg(2)).
    ///
    /// - Returns: how many bytes went, or a negative errno.
    @inline(__always)
    package func send(on descriptor: Descriptor) -> Int32 {
        let result =
            segmentBytes == 0
            ? unsafe cu_send_datagram(
                descriptor.rawValue,
                bytes.baseAddress,
                bytes.count,
                address
            )
            : unsafe cu_send_segments(
                descriptor.rawValue,
                bytes.baseAddress,
                bytes.count,
                address,
                segmentBytes
            )
        return Int32(truncatingIfNeeded: result)
    }
}
