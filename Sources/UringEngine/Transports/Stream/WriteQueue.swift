internal import CUring
internal import DequeModule
internal import Glibc

/// The bytes of one stream that wait to be sent, in order.
///
/// One send is in flight at most; it covers the first blocks.
///
/// The first block lies in the queue itself: a stream that answers one message at a time never
/// allocates here, and an idle one holds nothing.
///
/// > Thread: On-loop only.
@safe struct WriteQueue: ~Copyable {
    /// The most bytes gathered into one send; a longer block goes alone.
    static let sendBytesMax = 262_144
    /// Heap blocks of a queue that already holds something: small writes gather in them.
    static let gatherBytes = 16_384
    /// The largest heap block: a longer write is cut, so that its memory goes back bit by bit.
    static let blockBytesMax = 1 << 20

    // Safety: blocks up to `inFlightCount` are not changed before the send's terminal completion,
    // and a block's memory does not move with the block.
    private var first: WriteBlock?
    private var rest = UniqueDeque<WriteBlock>()
    /// What they pin, and with them what the kernel still reads of what was sent without a copy.
    private(set) var pinnedBytes = 0
    /// Blocks of the send in flight.
    private(set) var inFlightCount = 0
    private var hasWasteful = false

    var isEmpty: Bool { first == nil }

    /// A send is in flight.
    var isSending: Bool { inFlightCount > 0 }

    /// Bytes waiting, those in flight included; counted when asked for.
    var byteCount: Int {
        var bytes = 0
        switch first {
        case .some(let block): bytes = block.count
        case .none: return 0
        }
        for position in 0..<rest.count { bytes += rest[position].count }
        return bytes
    }

    /// How many blocks wait, those in flight included.
    var blockCount: Int { first == nil ? 0 : 1 &+ rest.count }

    /// Takes received bytes as the only block.
    ///
    /// Precondition: the queue is empty.
    @inline(__always)
    mutating func begin(with bytes: consuming ReceivedBytes) {
        let block = WriteBlock(bytes)
        pinnedBytes &+= block.pinnedBytes
        first = consume block
    }

    /// Adds received bytes, without a copy.
    mutating func append(_ bytes: consuming ReceivedBytes) {
        let block = WriteBlock(bytes)
        // What comes first is sent with the next flush; only what waits behind a send is worth
        // copying.
        if first != nil, block.isWasteful { hasWasteful = true }
        append(block)
    }

    private mutating func append(_ block: consuming WriteBlock) {
        pinnedBytes &+= block.pinnedBytes
        if first == nil {
            first = consume block
        } else {
            rest.append(block)
        }
    }

    /// Copies bytes into the last block where it has room, and into new ones for what is left.
    mutating func append(copying source: UnsafeRawBufferPointer) {
        var left = unsafe source
        let fitting = unsafe appendToLast(left)
        unsafe left = UnsafeRawBufferPointer(rebasing: left[fitting...])
        while left.count > 0 {
            let byteCount = min(left.count, Self.blockBytesMax)
            let capacity = isEmpty ? (byteCount + 511) & ~511 : max(byteCount, Self.gatherBytes)
            var block = WriteBlock(capacity: capacity)
            unsafe block.append(UnsafeRawBufferPointer(rebasing: left[..<byteCount]))
            append(block)
            unsafe left = UnsafeRawBufferPointer(rebasing: left[byteCount...])
        }
    }

    /// Copies what fits into the last block, unless it is in flight.
    ///
    /// - Returns: how many bytes fitted.
    private mutating func appendToLast(_ source: UnsafeRawBufferPointer) -> Int {
        guard blockCount > inFlightCount else { return 0 }
        var fitting = 0
        if rest.isEmpty {
            fitting = unsafe first?.appendFitting(source) ?? 0
        } else {
            fitting = unsafe rest[rest.count - 1].appendFitting(source)
        }
        return fitting
    }

    // MARK: Sending

    /// Begins a plain send, when one block is all there is.
    ///
    /// - Returns: its bytes, or nil when a message of several runs is needed.
    @inline(__always)
    mutating func beginSendOfOnlyBlock() -> UnsafeRawBufferPointer? {
        guard inFlightCount == 0, rest.isEmpty, let bytes = unsafe first?.bytes else { return nil }
        inFlightCount = 1
        return unsafe bytes
    }

    /// Begins a send of the first block alone.
    ///
    /// - Returns: its bytes, or nil when there is nothing to send.
    mutating func beginSendOfFirstBlock() -> UnsafeRawBufferPointer? {
        guard inFlightCount == 0, let bytes = unsafe first?.bytes else { return nil }
        inFlightCount = 1
        return unsafe bytes
    }

    /// Describes the next send: as many blocks as fit.
    ///
    /// - Returns: how many runs were written.
    mutating func beginSend(runs: UnsafeMutablePointer<iovec>) -> Int {
        guard let head = unsafe first?.bytes else { return 0 }
        unsafe runs[0] = Self.run(head)
        var bytes = head.count
        var count = 1
        while count < min(blockCount, MessageScratch.runsMax) {
            let next = unsafe rest[count - 1].bytes
            guard bytes + next.count <= Self.sendBytesMax else { break }
            unsafe runs[count] = Self.run(next)
            bytes += next.count
            count += 1
        }
        inFlightCount = count
        return count
    }

    /// Begins a plain send of the first block, when that is as long.
    ///
    /// - Returns: its bytes; nil, with nothing begun, when it is shorter.
    mutating func beginSendOfFirstBlock(bytesMin: Int) -> UnsafeRawBufferPointer? {
        guard inFlightCount == 0, let bytes = unsafe first?.bytes, bytes.count >= bytesMin else {
            return nil
        }
        inFlightCount = 1
        return unsafe bytes
    }

    /// The send of the first block is over, all of it was sent, and the kernel still reads it.
    ///
    /// - Returns: the block, which still counts as pinned; nil, with nothing changed, when not all was sent.
    mutating func detachSent(byteCount sent: Int) -> WriteBlock? {
        guard inFlightCount == 1, first?.count == sent else { return nil }
        inFlightCount = 0
        let block = first.take()
        first = rest.isEmpty ? nil : rest.removeFirst()
        return block
    }

    /// A block that was detached has ended.
    mutating func unpin(_ byteCount: Int) {
        pinnedBytes &-= byteCount
    }

    private static func run(_ bytes: UnsafeRawBufferPointer) -> iovec {
        unsafe iovec(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
            iov_len: bytes.count
        )
    }

    /// The send ended, and it carried all there is.
    ///
    /// - Returns: false, with nothing changed, when that is not so.
    @inline(__always)
    mutating func endSendOfAll(
        byteCount sent: Int,
        onLoopOf pool: Unmanaged<BufferPool>
    ) -> Bool {
        guard rest.isEmpty, first?.count == sent else { return false }
        inFlightCount = 0
        guard let block = first.take() else { return false }
        pinnedBytes &-= block.pinnedBytes
        unsafe block.end(onLoopOf: pool)
        return true
    }

    /// The send ended; `byteCount` of its bytes are gone, their blocks end here.
    mutating func endSend(byteCount sent: Int) {
        inFlightCount = 0
        var left = sent
        while left > 0 {
            guard let count = first?.count else {
                preconditionFailure("no more is sent than was queued")
            }
            if count > left {
                first?.consume(left)
                return
            }
            left &-= count
            removeFirst()
        }
    }

    private mutating func removeFirst() {
        pinnedBytes &-= first?.pinnedBytes ?? 0
        first = rest.isEmpty ? nil : rest.removeFirst()
    }

    // MARK: Waiting

    /// Copies what wastes its pool buffer into gathering blocks, behind the send in flight.
    mutating func compact() {
        guard hasWasteful, inFlightCount > 0, blockCount > inFlightCount else { return }
        hasWasteful = false
        var waiting = UniqueDeque<WriteBlock>(minimumCapacity: blockCount - inFlightCount)
        while blockCount > inFlightCount { waiting.prepend(rest.removeLast()) }
        while !waiting.isEmpty {
            let block = waiting.removeFirst()
            pinnedBytes &-= block.pinnedBytes
            if block.isWasteful {
                unsafe append(copying: block.bytes)
            } else {
                append(block)
            }
        }
    }

    /// Forgets everything.
    ///
    /// Precondition: no send is in flight.
    mutating func removeAll() {
        precondition(inFlightCount == 0, "the kernel reads no block any more")
        first = nil
        rest = UniqueDeque()
        pinnedBytes = 0
        hasWasteful = false
    }
}
