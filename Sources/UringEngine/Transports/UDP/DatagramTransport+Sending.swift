internal import CUring
internal import DequeModule

/// Sending: at once where there is room, else in order.
extension DatagramTransport {
    /// Sends received bytes to `address`, without a copy.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The bytes move in; their memory is given back when the kernel has taken them.
    ///
    /// - Throws: `.closed`; EMSGSIZE for more than one datagram holds, and others of sendto(2);
    ///   `.invalidArgument` on a connected endpoint. Nothing was sent then.
    public func send(
        _ bytes: consuming ReceivedBytes,
        to address: SocketAddress
    ) throws(IOError) {
        try checkTarget(address)
        try send(bytes, Target(address: address))
    }

    /// Sends received bytes to the peer; otherwise as the send to an address.
    ///
    /// - Throws: as that; `.invalidArgument` unless the endpoint is connected.
    public func send(_ bytes: consuming ReceivedBytes) throws(IOError) {
        try checkTarget(nil)
        try send(bytes, Target(address: nil))
    }

    /// Sends the program's own bytes, without a copy; nil is the peer of a connected endpoint.
    ///
    /// - Throws: as of received bytes.
    public func send(
        _ bytes: consuming OwnedBytes,
        to address: SocketAddress? = nil
    ) throws(IOError) {
        try checkTarget(address)
        try send(bytes.takeContents(), Target(address: address))
    }

    /// Sends bytes that lie elsewhere; they are copied only when they must wait.
    ///
    /// Nil is the peer of a connected endpoint.
    ///
    /// - Throws: as of received bytes.
    public func send(_ bytes: RawSpan, to address: SocketAddress? = nil) throws(IOError) {
        try checkTarget(address)
        try send(copying: bytes, Target(address: address))
    }

    /// Sends an array; otherwise as the send of bytes that lie elsewhere.
    ///
    /// - Throws: as of received bytes.
    public func send(_ bytes: [UInt8], to address: SocketAddress? = nil) throws(IOError) {
        // Safety: the span ends with the array's own access.
        try unsafe send(bytes.span.bytes, to: address)
    }

    // MARK: How it is done

    /// To whom, and cut into what.
    struct Target {
        /// Nil on a connected endpoint.
        let address: SocketAddress?
        /// Zero sends the bytes as one datagram.
        var segmentBytes: UInt16 = 0
    }

    @inline(__always)
    func checkTarget(_ address: SocketAddress?) throws(IOError) {
        loop.checkOnLoop()
        guard phase == .open else { throw IOError(.send, reason: .closed) }
        guard (address == nil) == (peer != nil) else { throw wrongTarget(address) }
    }

    @inline(never)
    private func wrongTarget(_ address: SocketAddress?) -> IOError {
        let detail =
            peer.map { "this endpoint is connected to \($0): it sends to nobody else" }
            ?? "this endpoint is not connected: each send needs an address"
        return IOError(.send, descriptor: descriptor, reason: .invalidArgument, detail: detail)
    }

    // Safety: the bytes lie where they are during the call.
    func send(_ bytes: consuming ReceivedBytes, _ target: Target) throws(IOError) {
        var failure: IOError?
        let isSent = bytes.withBytes { span in
            unsafe span.withUnsafeBytes { bytes in
                do throws(IOError) {
                    return try unsafe sendNow(bytes, target)
                } catch {
                    failure = error
                    return true
                }
            }
        }
        if let failure { throw failure }
        guard !isSent else { return }
        let isWasteful = bytes.byteCount &* 4 < bytes.pinnedBytes
        enqueue(isWasteful ? bytes.copiedToHeap() : bytes, target)
    }

    // Safety: the bytes are copied before the span ends.
    func send(copying bytes: RawSpan, _ target: Target) throws(IOError) {
        var failure: IOError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(IOError) {
                if try unsafe sendNow(bytes, target) { return }
                unsafe enqueue(ReceivedBytes(copying: bytes), target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Hands a datagram to the kernel, unless others wait.
    ///
    /// - Returns: false when it has to wait.
    /// - Throws: what the kernel has against this datagram.
    // Safety: bytes and address are used during the call.
    private func sendNow(
        _ bytes: UnsafeRawBufferPointer,
        _ target: Target
    ) throws(IOError) -> Bool {
        // Also before it is queued: an address that cannot be used is the caller's error.
        let address = try unsafe store(target.address)
        guard queue.isEmpty else { return false }
        let datagram = unsafe OutgoingDatagram(
            bytes: bytes,
            address: address,
            segmentBytes: target.segmentBytes
        )
        let result = loop.driver.trySend(datagram, on: descriptor)
        if result >= 0 { return true }
        return try tryAgain(datagram, after: Errno(result: result), target)
    }

    /// Writes the kernel's form of an address to where sends read it.
    // Safety: the room's memory lives as long as the endpoint.
    @inline(__always)
    private func store(
        _ address: SocketAddress?
    ) throws(IOError) -> UnsafePointer<cu_address>? {
        guard let address else { return nil }
        try unsafe address.storeQuickly(in: &room.target.pointee)
        return unsafe UnsafePointer(room.target)
    }

    /// Decides what a failed send means, and asks once more where the failure was an earlier datagram's.
    // Safety: the datagram's bytes and address are used during the call.
    @inline(never)
    private func tryAgain(
        _ datagram: OutgoingDatagram,
        after errno: Errno,
        _ target: Target
    ) throws(IOError) -> Bool {
        var errno = errno
        // An ICMP answer to an earlier datagram is told once, to whatever call comes next (udp(7)); a
        // signal interrupts once.
        var attemptsLeft = 4
        while attemptsLeft > 0, errno == .interrupted || family != Self.unixFamily,
            errno == .interrupted || Self.isPending(errno)
        {
            attemptsLeft -= 1
            if errno != .interrupted { reportSoon(errno) }
            let result = loop.driver.trySend(datagram, on: descriptor)
            if result >= 0 { return true }
            // Told again at once, it is about this datagram.
            if Errno(result: result) == errno, errno != .interrupted { break }
            errno = Errno(result: result)
        }
        switch errno {
        case .again, .interrupted: return false
        case .noBuffers, .noMemory:
            // A device's queue is full. No readiness tells when it is not.
            pauseSending()
            return false
        default: throw sendError(errno, byteCount: unsafe datagram.bytes.count, target)
        }
    }

    func sendError(_ errno: Errno, byteCount: Int, _ target: Target) -> IOError {
        let place = target.address.map { " to \($0)" } ?? ""
        let cut = target.segmentBytes == 0 ? "" : " in segments of \(target.segmentBytes)"
        return IOError(
            .send,
            descriptor: descriptor,
            errno: errno,
            detail: "\(byteCount) bytes\(cut)\(place)"
        )
    }

    /// Tells the handler, but not while it is being called.
    func reportSoon(_ errno: Errno) {
        let error = IOError(.send, descriptor: descriptor, errno: errno)
        loop.ready.append(.closure { [self] in report(error) })
    }

    // MARK: Waiting

    private func enqueue(_ bytes: consuming ReceivedBytes, _ target: Target) {
        queue.append(
            QueuedDatagram(
                bytes: bytes,
                address: target.address,
                segmentBytes: target.segmentBytes
            )
        )
        awaitRoom()
        guard !condition.contains(.writingPaused), queue.pinnedBytes > writeHighWatermark else {
            return
        }
        condition.insert(.writingPaused)
        callHandler { try $0.pauseWriting(on: self) }
    }

    /// Sets the watermarks, in bytes of pinned memory.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Throws: `.invalidArgument` unless 0 ≤ low ≤ high.
    public func setWriteBufferLimits(low: Int, high: Int) throws(IOError) {
        loop.checkOnLoop()
        try WriteLimits.check(low: low, high: high, of: descriptor)
        writeLowWatermark = low
        writeHighWatermark = high
        checkLowWatermark()
    }

    func checkLowWatermark() {
        guard condition.contains(.writingPaused), queue.pinnedBytes <= writeLowWatermark else {
            return
        }
        condition.remove(.writingPaused)
        guard phase == .open else { return }
        callHandler { try $0.resumeWriting(on: self) }
    }
}
