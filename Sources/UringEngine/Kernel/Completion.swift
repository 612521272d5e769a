/// What the kernel says about one operation, decoded: nobody above the driver sees a ring entry or
/// a flag.
///
/// > Thread: On-loop only.
package struct Completion {
    /// The operation it belongs to.
    package let token: OperationToken
    // Laid out as the kernel's own entry, so that the io_uring driver copies it as it stands: the
    // result in the lower half; above it the flags F_BUFFER and F_MORE, one of ours in a place that
    // the kernel does not use, and the buffer's number on top.
    private let word: UInt64
    /// Where the received bytes begin in that buffer.
    package let offset: UInt32

    private static let bufferBit: UInt64 = 1 << 32
    private static let moreBit: UInt64 = 1 << 33
    private static let releasedBit: UInt64 = 1 << 46

    /// Describes a completion; `buffer` is `.none` when it carries no received bytes.
    package init(
        token: OperationToken,
        result: Int32,
        isTerminal: Bool = true,
        buffersReleased: Bool = false,
        buffer: BufferID = .none,
        offset: UInt32 = 0
    ) {
        self.token = token
        self.word =
            UInt64(UInt32(bitPattern: result)) | (isTerminal ? 0 : Self.moreBit)
            | (buffersReleased ? Self.releasedBit : 0)
            | (buffer == .none ? 0 : UInt64(buffer.rawValue) << 48 | Self.bufferBit)
        self.offset = offset
    }

    /// Takes the kernel's words as they are (struct io_uring_cqe).
    @inline(__always)
    package init(token: OperationToken, kernelWord: UInt64) {
        self.token = token
        self.word = kernelWord
        self.offset = 0
    }

    /// A count or a descriptor when zero or more; a negative error number otherwise.
    package var result: Int32 { Int32(truncatingIfNeeded: word) }

    /// The operation is over: no completion follows, and all memory but `slice` is the caller's
    /// again.
    package var isTerminal: Bool { word & Self.moreBit == 0 }

    /// The kernel is done with the bytes it was given to send.
    ///
    /// False only for a zero-copy send's first completion.
    package var buffersReleased: Bool { isTerminal || word & Self.releasedBit != 0 }

    /// It carries a pool buffer.
    package var hasBuffer: Bool { word & Self.bufferBit != 0 }

    /// The pool buffer that holds received bytes, or `.none`.
    package var buffer: BufferID { hasBuffer ? bufferNumber : .none }

    /// The number in the buffer's place; it means nothing without `hasBuffer`.
    package var bufferNumber: BufferID {
        BufferID(rawValue: UInt16(truncatingIfNeeded: word >> 48))
    }

    /// It completes an operation of this kind.
    @inline(__always)
    package func isOf(_ kind: OperationKind) -> Bool { token.hasKind(kind) }

    /// The received bytes, or nil when the completion carries no buffer.
    package var slice: BufferSlice? {
        guard buffer != .none else { return nil }
        return BufferSlice(buffer: buffer, offset: offset, count: UInt32(max(result, 0)))
    }

    /// The error number of a failed operation.
    package var errno: Errno? { result < 0 ? Errno(result: result) : nil }
}
