internal import DequeModule
internal import Glibc

/// Receiving: multishot into pool buffers, parked while reading is paused, re-armed whenever it
/// ended.
extension StreamTransport {
    /// Stops deliveries.
    ///
    /// What is under way is parked; the peer is slowed down by its window.
    ///
    /// > Thread: On-loop only.
    public func pauseReading() {
        loop.checkOnLoop()
        guard !isReadingPaused else { return }
        isReadingPaused = true
        cancelReceive()
    }

    /// Goes on with deliveries: first what is parked, then what comes.
    ///
    /// > Thread: On-loop only.
    public func resumeReading() {
        loop.checkOnLoop()
        guard isReadingPaused else { return }
        isReadingPaused = false
        if parked.isEmpty, !hasSeenEOF { return armReceive(waitForReadiness: false) }
        scheduleDelivery()
    }

    /// Bytes received and not delivered, as pinned memory.
    public var parkedPinnedBytes: Int { parkedBytes }

    private func scheduleDelivery() {
        guard !isDeliveryScheduled else { return }
        isDeliveryScheduled = true
        loop.schedule(self, tag: StreamJob.deliverParked.rawValue)
    }

    func deliverParked() {
        isDeliveryScheduled = false
        while phase == .open, !isReadingPaused, let bytes = parked.popFirst() {
            parkedBytes -= bytes.pinnedBytes
            deliver(bytes)
        }
        guard phase == .open, !isReadingPaused else { return }
        if hasSeenEOF { return deliverEOF() }
        armReceive(waitForReadiness: false)
    }

    // MARK: Arming

    /// Arms the receive, if it should be armed and is not.
    ///
    /// While others wait for buffers it stands behind them: whoever was served would else be served
    /// again, for as long as its peer sends. Beside 1,000 peers that did, a small message waited for up
    /// to 541 ms of the loop's CPU time.
    @inline(never)
    func armReceive(waitForReadiness: Bool) {
        guard isReadyToReceive else { return }
        guard loop.starved.isEmpty else { return loop.standInLine(self) }
        submitReceive(byteBudget: receiveBudget, waitForReadiness: waitForReadiness)
    }

    /// A receive should be armed, and none is.
    var isReadyToReceive: Bool {
        receiveToken == nil && !isStarved && slot != .none && !hasSeenEOF && wantsInput
    }

    /// A Unix stream never asks for readiness first: where a multishot's first poll finds bytes and the
    /// end of the stream together, the kernel takes the bytes and waits for a wake that came before
    /// (Linux 6.18; the end of a TCP stream and one-shot receives are fine).
    func submitReceive(byteBudget: Int, waitForReadiness: Bool) {
        guard !condition.contains(.piped) else {
            return submitRead(byteBudget: byteBudget, waitForReadiness: waitForReadiness)
        }
        let token = loop.begin(.receive, on: slot)
        receiveToken = token
        loop.driver.receive(
            token,
            from: descriptor,
            byteBudget: byteBudget,
            waitForReadiness: waitForReadiness && kind == .tcp
        )
    }

    /// While flushing, input is received and dropped: a peer that writes before it reads must not
    /// block for ever.
    private var wantsInput: Bool {
        switch phase {
        case .open:
            !isReadingPaused && parkedBytes * 2 <= loop.inputCapBytes
                && !condition.contains(.outputOnly)
        case .flushing: !condition.contains(.piped)
        case .ending, .lost: false
        }
    }

    /// What this stream already pins of received memory counts against what the kernel may hand
    /// over next.
    var receiveBudget: Int {
        max(loop.inputCapBytes &- parkedBytes &- writes.pinnedBytes, 4 &* loop.options.bufferBytes)
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
        if completion.result > 0 {
            take(completion)
        } else {
            receiveEnded(completion)
        }
        if completion.isTerminal, !isStarved {
            // After EAGAIN, asking without readiness would only bring the next one.
            armReceive(waitForReadiness: completion.result == -EAGAIN)
        }
    }

    @inline(__always)
    private func take(_ completion: Completion) {
        // Without a buffer the number is out of the pool's range, which `receive` checks.
        let slice = BufferSlice(
            buffer: completion.buffer,
            offset: completion.offset,
            count: UInt32(truncatingIfNeeded: completion.result)
        )
        // Safety: the loop keeps its pool.
        unsafe loop.borrowedPool._withUnsafeGuaranteedRef { pool in
            let bytes = pool.receive(slice)
            if condition.isEmpty, !pool.isMostlyLent {
                deliver(bytes)
            } else {
                handle(bytes)
            }
        }
    }

    /// Moves bytes to the heap, so that the kernel gets their buffer back.
    private func copied(_ bytes: consuming ReceivedBytes) -> ReceivedBytes {
        loop.counters.copiedReceives &+= 1
        return bytes.copiedToHeap()
    }

    /// Delivers, parks or drops, off the fast path.
    @inline(never)
    private func handle(_ bytes: consuming ReceivedBytes) {
        guard phase == .open else { return }
        let bytes = loop.pool.isMostlyLent ? copied(bytes) : bytes
        if isReadingPaused || isDeliveryScheduled { return park(bytes) }
        deliver(bytes)
    }

    @inline(__always)
    private func deliver(_ bytes: consuming ReceivedBytes) {
        guard let binding else { return }
        var bytes: ReceivedBytes? = bytes
        do {
            // Safety: the binding is let go only between callbacks.
            try unsafe binding._withUnsafeGuaranteedRef { binding in
                guard let bytes = bytes.take() else { return }
                try binding.deliver(bytes, to: self)
            }
        } catch {
            handlerThrew(error)
        }
    }

    /// Keeps bytes until they are delivered.
    ///
    /// What fills less than half of its buffer is copied out. So what is parked pins at most twice
    /// its bytes, and the kernel's budget, which counts bytes, bounds memory too: a flood of small
    /// messages never reaches the budget, and parked 99 buffers of 16 KiB in one enter.
    private func park(_ bytes: consuming ReceivedBytes) {
        let isWasteful = bytes.byteCount &* 2 < bytes.pinnedBytes
        keep(isWasteful ? copied(bytes) : bytes)
    }

    @inline(__always)
    private func keep(_ bytes: consuming ReceivedBytes) {
        parkedBytes &+= bytes.pinnedBytes
        parked.append(bytes)
        if parkedBytes >= loop.inputCapBytes { cancelReceive() }
    }

    // MARK: Reading by hand

    /// Parks what was delivered, for a face whose reader comes for it: also after the stream has failed,
    /// as long as somebody holds this object.
    ///
    /// The first of them stays in its buffer: it is about to be taken. What lies behind it is bound by
    /// the same caps as while reading is paused.
    ///
    /// > Thread: On-loop only, from inside `dataReceived`.
    package func hold(_ bytes: consuming ReceivedBytes) {
        isReadByHand = true
        if parked.isEmpty { keep(bytes) } else { park(bytes) }
    }

    /// Takes the first bytes that were held; arms the receive again when enough was taken.
    ///
    /// > Thread: On-loop only.
    package func takeHeld() -> ReceivedBytes? {
        guard let bytes = parked.popFirst() else { return nil }
        parkedBytes &-= bytes.pinnedBytes
        if receiveToken == nil { armReceive(waitForReadiness: false) }
        return bytes
    }

    /// The peer has ended, and everything it sent was taken.
    ///
    /// Not so once the stream has failed: what was held is gone then, and not because it was taken.
    package var isInputFinished: Bool { phase == .open && hasSeenEOF && parked.isEmpty }

    private func receivedEOF() {
        hasSeenEOF = true
        if !parked.isEmpty || isReadingPaused || isDeliveryScheduled { return }
        deliverEOF()
    }

    private func deliverEOF() {
        guard phase == .open, !hasDeliveredEOF else { return }
        hasDeliveredEOF = true
        var staysOpen = false
        callHandler { staysOpen = try $0.eofReceived(on: self) }
        if !staysOpen { close() }
    }

    @inline(never)
    private func receiveEnded(_ completion: Completion) {
        // Old kernels pick a buffer for the end of a stream too.
        if completion.buffer != .none { loop.pool.drop(loop.pool.lease(completion.buffer)) }
        guard let errno = completion.errno else { return receivedEOF() }
        switch errno {
        case .noBuffers:
            // The pool is empty: wait for returns, first in first out. Arming again at once would
            // spin.
            if wantsInput { loop.markStarved(self) }
        case .cancelled, .again, .interrupted:
            // A pause or a close asked for it, or the kernel wants to be asked again; `received`
            // arms as needed.
            break
        default:
            // ECONNRESET, ETIMEDOUT, EHOSTUNREACH, …: the connection is over.
            end(IOError(.receive, descriptor: descriptor, errno: errno))
        }
    }
}
