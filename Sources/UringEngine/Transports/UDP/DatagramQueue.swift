internal import DequeModule

/// A datagram that waits for room in the kernel.
///
/// > Thread: On-loop only.
/// > Ownership: Its memory is given back when it was sent.
struct QueuedDatagram: ~Copyable {
    let bytes: ReceivedBytes
    /// To whom; nil on a connected endpoint.
    let address: SocketAddress?
    /// The size to cut it into; zero for none.
    let segmentBytes: UInt16

    /// What it counts: no less than its own place.
    var pinnedBytes: Int { bytes.pinnedBytes + 64 }
}

/// The datagrams of one endpoint that wait to be sent, in order.
///
/// > Thread: On-loop only.
struct DatagramQueue: ~Copyable {
    private var waiting = UniqueDeque<QueuedDatagram>()
    /// What they pin.
    private(set) var pinnedBytes = 0

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    mutating func append(_ datagram: consuming QueuedDatagram) {
        pinnedBytes += datagram.pinnedBytes
        waiting.append(datagram)
    }

    /// Calls `body` with the first.
    ///
    /// Precondition: there is one.
    func withFirst<Result, Failure>(
        _ body: (borrowing QueuedDatagram) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(!waiting.isEmpty, "a datagram waits")
        return try body(waiting[0])
    }

    mutating func removeFirst() {
        let first = waiting.removeFirst()
        pinnedBytes -= first.pinnedBytes
    }

    /// Cuts the first into the datagrams that the kernel did not want to cut it into.
    mutating func cutFirst() {
        let first = waiting.removeFirst()
        pinnedBytes -= first.pinnedBytes
        let (address, size, count) = (first.address, Int(first.segmentBytes), first.bytes.byteCount)
        var offset = count == 0 ? 0 : (count - 1) / size * size
        while offset >= 0 {
            let end = min(offset + size, count)
            first.bytes.withBytes { span in
                let bytes = OwnedBytes(copying: span.extracting(offset..<end)).takeContents()
                let segment = QueuedDatagram(bytes: bytes, address: address, segmentBytes: 0)
                pinnedBytes += segment.pinnedBytes
                waiting.prepend(segment)
            }
            offset -= size
        }
    }

    /// Forgets all.
    mutating func removeAll() {
        waiting = UniqueDeque()
        pinnedBytes = 0
    }
}
