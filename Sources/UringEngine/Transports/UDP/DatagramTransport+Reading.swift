internal import DequeModule

/// Receiving: multishot into pool buffers, parked while reading is paused, re-armed whenever it ended.
extension DatagramTransport {
    /// What a parked datagram counts beside what it pins, so that a flood of empty ones is bounded too.
    private static let parkedOverheadBytes = 128

    /// Stops deliveries.
    ///
    /// What is under way is parked. What comes beyond the kernel's buffer (SO_RCVBUF), the kernel drops.
    ///
    /// > Thread: On-loop only.
    public func pauseReading() {
        loop.checkOnLoop()
        guard !isReadingPaused else { return }
        condition.insert(.readingPaused)
        cancelReceive()
    }

    /// Goes on with deliveries: first what is parked, then what comes.
    ///
    /// > Thread: On-loop only.
    public func resumeReading() {
        loop.checkOnLoop()
        guard isReadingPaused else { return }
        condition.remove(.readingPaused)
        if parked.isEmpty { return armReceive(waitForReadiness: false) }
        guard !condition.contains(.deliveryScheduled) else { return }
        condition.insert(.deliveryScheduled)
        loop.schedule(self, tag: DatagramJob.deliverParked.rawValue)
    }

    func deliverParked() {
        condition.remove(.deliveryScheduled)
        while phase == .open, !isReadingPaused, let datagram = takeParked() { deliver(datagram) }
        if !isReadingPaused { armReceive(waitForReadiness: false) }
    }

    private func takeParked() -> Datagram? {
        guard let datagram = parked.popFirst() else { return nil }
        parkedBytes &-= datagram.pinnedBytes &+ Self.parkedOverheadBytes
        return datagram
    }

    // MARK: Arming

    /// Arms the receive, if it should be armed and is not.
    ///
    /// While others wait for buffers it stands behind them, as a stream does.
    @inline(never)
    func armReceive(waitForReadiness: Bool) {
        guard isReadyToReceive else { return }
        guard loop.starved.isEmpty else { return loop.standInLine(self) }
        submitReceive(waitForReadiness: waitForReadiness)
    }

    /// A receive should be armed, and none is.
    var isReadyToReceive: Bool {
        receiveToken == nil && !isStarved && slot != .none && wantsInput
    }

    var wantsInput: Bool {
        phase == .open && !isReadingPaused && !condition.contains(.receivePaused)
            && parkedBytes &* 2 <= loop.inputCapBytes
    }

    // Safety: the room outlives the operation (see MessageRoom).
    func submitReceive(waitForReadiness: Bool) {
        let token = loop.begin(.receiveMessage, on: slot)
        receiveToken = token
        unsafe loop.driver.base.receiveMessage(
            token,
            from: descriptor,
            message: room.prepare(),
            waitForReadiness: waitForReadiness
        )
    }

    func cancelReceive() {
        if isStarved {
            loop.starved.remove(self)
            isStarved = false
        }
        guard let receiveToken, !isReceiveCancelled, slot != .none else { return }
        isReceiveCancelled = true
        loop.cancel(receiveToken, on: slot)
    }

    // MARK: Completions

    @inline(__always)
    func received(_ completion: Completion) {
        if completion.isTerminal {
            receiveToken = nil
            isReceiveCancelled = false
        }
        if completion.result >= 0 {
            if receivesManyAtOnce { take(completion) } else { takeOne(completion) }
        } else {
            receiveEnded(completion)
        }
        if completion.isTerminal, !isStarved {
            // After EAGAIN, asking without readiness would only bring the next one.
            armReceive(waitForReadiness: completion.errno == .again)
        }
    }

    /// Takes a datagram that lies in its buffer behind its head.
    // Safety: the buffer is leased before its bytes are read; the loop keeps its pool.
    @inline(__always)
    private func take(_ completion: Completion) {
        guard completion.hasBuffer else { return }
        unsafe loop.borrowedPool._withUnsafeGuaranteedRef { pool in
            let buffer = completion.bufferNumber
            let lease = pool.lease(buffer)
            let bytes = unsafe UnsafeRawBufferPointer(
                start: pool.region.address(of: buffer),
                count: Int(completion.result)
            )
            guard let head = unsafe MessageHead(bytes, layout: layout) else {
                return pool.drop(lease)
            }
            let name = unsafe UnsafeRawBufferPointer(rebasing: bytes[head.name])
            let sender = peer ?? (unsafe SocketAddress(kernelBytes: name)) ?? .unix([])
            if layout.controlBytes > 0,
                let segmentBytes = unsafe ControlMessages.segmentBytes(
                    in: UnsafeRawBufferPointer(rebasing: bytes[head.control])
                ),
                segmentBytes < head.payload.count
            {
                let run = Segments(payload: head.payload, segmentBytes: segmentBytes)
                return takeSegments(lease, run, sender, pool)
            }
            let slice = BufferSlice(
                buffer: buffer,
                offset: UInt32(truncatingIfNeeded: head.payload.lowerBound),
                count: UInt32(truncatingIfNeeded: head.payload.count)
            )
            accept(
                Datagram(
                    ReceivedBytes(lease, slice: slice, pool: pool),
                    from: sender,
                    isTruncated: head.isTruncated
                )
            )
        }
    }

    /// Takes a datagram whose sender and control data lie in the endpoint's own memory.
    @inline(never)
    private func takeOne(_ completion: Completion) {
        let sender = peer ?? room.receivedName ?? .unix([])
        guard completion.hasBuffer else {
            // An empty datagram fills none.
            // Safety: nothing is read.
            let empty = unsafe ReceivedBytes(copying: UnsafeRawBufferPointer(start: nil, count: 0))
            return accept(Datagram(empty, from: sender, isTruncated: false))
        }
        let pool = loop.pool
        let count = Int(completion.result)
        if let segmentBytes = room.receivedSegmentBytes, segmentBytes < count {
            let run = Segments(payload: 0..<count, segmentBytes: segmentBytes)
            return takeSegments(pool.lease(completion.bufferNumber), run, sender, pool)
        }
        let slice = BufferSlice(
            buffer: completion.bufferNumber,
            offset: 0,
            count: UInt32(truncatingIfNeeded: count)
        )
        accept(Datagram(pool.receive(slice), from: sender, isTruncated: room.isTruncated))
    }

    /// Datagrams that the kernel has put together in one buffer.
    private struct Segments {
        let payload: Range<Int>
        let segmentBytes: Int
    }

    /// Delivers each by itself; all but the last are copied out, so that the buffer has one owner.
    // Safety: the buffer is leased during the copies.
    @inline(never)
    private func takeSegments(
        _ lease: consuming BufferLease,
        _ run: Segments,
        _ sender: SocketAddress,
        _ pool: BufferPool
    ) {
        let start = unsafe UnsafeRawPointer(pool.region.address(of: lease.id))
        var offset = run.payload.lowerBound
        while run.payload.upperBound - offset > run.segmentBytes {
            let segment = unsafe UnsafeRawBufferPointer(
                start: start + offset,
                count: run.segmentBytes
            )
            accept(
                unsafe Datagram(ReceivedBytes(copying: segment), from: sender, isTruncated: false)
            )
            offset += run.segmentBytes
        }
        let slice = BufferSlice(
            buffer: lease.id,
            offset: UInt32(truncatingIfNeeded: offset),
            count: UInt32(truncatingIfNeeded: run.payload.upperBound - offset)
        )
        let last = ReceivedBytes(lease, slice: slice, pool: pool)
        accept(Datagram(last, from: sender, isTruncated: false))
    }

    // MARK: Delivering

    @inline(__always)
    private func accept(_ datagram: consuming Datagram) {
        if condition.isEmpty, !loop.pool.isMostlyLent {
            deliver(datagram)
        } else {
            handle(datagram)
        }
    }

    /// Delivers, parks or drops, off the fast path.
    @inline(never)
    private func handle(_ datagram: consuming Datagram) {
        guard phase == .open else { return }
        let datagram = loop.pool.isMostlyLent ? copied(datagram) : datagram
        if !condition.isDisjoint(with: [.readingPaused, .deliveryScheduled]) {
            return park(datagram)
        }
        deliver(datagram)
    }

    /// Moves a datagram to the heap, so that the kernel gets its buffer back.
    private func copied(_ datagram: consuming Datagram) -> Datagram {
        loop.counters.copiedReceives &+= 1
        return datagram.copiedToHeap()
    }

    @inline(__always)
    private func deliver(_ datagram: consuming Datagram) {
        guard let binding else { return }
        var datagram: Datagram? = datagram
        do {
            // Safety: the binding is let go only between callbacks.
            try unsafe binding._withUnsafeGuaranteedRef { binding in
                guard let datagram = datagram.take() else { return }
                try binding.deliver(datagram, to: self)
            }
        } catch {
            handlerThrew(error)
        }
    }

    /// Keeps a datagram until it is delivered; what fills less than half of its buffer is copied out.
    private func park(_ datagram: consuming Datagram) {
        let isWasteful = datagram.byteCount &* 2 < datagram.pinnedBytes
        keep(isWasteful ? copied(datagram) : datagram)
    }

    private func keep(_ datagram: consuming Datagram) {
        parkedBytes &+= datagram.pinnedBytes &+ Self.parkedOverheadBytes
        parked.append(datagram)
        if parkedBytes >= loop.inputCapBytes { cancelReceive() }
    }

    /// Drops what was received and not delivered.
    func dropParked() {
        parked = UniqueDeque()
        parkedBytes = 0
    }

    // MARK: Reading by hand

    /// Parks what was delivered, for a face whose reader comes for it.
    ///
    /// > Thread: On-loop only, from inside `datagramReceived`.
    package func hold(_ datagram: consuming Datagram) {
        if parked.isEmpty { keep(datagram) } else { park(datagram) }
    }

    /// Takes the first datagram that was held; arms the receive again when enough was taken.
    ///
    /// > Thread: On-loop only.
    package func takeHeld() -> Datagram? {
        guard let datagram = takeParked() else { return nil }
        if receiveToken == nil { armReceive(waitForReadiness: false) }
        return datagram
    }
}
