internal import CUring
internal import Glibc

/// Sending: a queue in order, one send in flight, short sends continued.
extension StreamTransport {
    /// Queues received bytes, without a copy.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The bytes move in; their memory is given back when the kernel has taken them.
    ///
    /// - Returns: false when the stream is closing: nothing was queued.
    @discardableResult
    public func write(_ bytes: consuming ReceivedBytes) -> Bool {
        loop.checkOnLoop()
        guard condition.isEmpty, writes.isEmpty, bytes.byteCount > 0 else {
            return writeOffPath(bytes)
        }
        writes.begin(with: bytes)
        queued()
        return true
    }

    @inline(never)
    private func writeOffPath(_ bytes: consuming ReceivedBytes) -> Bool {
        guard acceptsWrites else { return false }
        guard bytes.byteCount > 0 else { return true }
        writes.append(bytes)
        queued()
        return true
    }

    /// Queues the program's own bytes, without a copy.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: As of received bytes.
    ///
    /// - Returns: false when the stream is closing: nothing was queued.
    @discardableResult
    public func write(_ bytes: consuming OwnedBytes) -> Bool {
        write(bytes.takeContents())
    }

    /// Queues a copy of these bytes.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: false when the stream is closing: nothing was queued.
    @discardableResult
    public func write(_ bytes: RawSpan) -> Bool {
        loop.checkOnLoop()
        guard acceptsWrites else { return false }
        guard bytes.byteCount > 0 else { return true }
        // Safety: the bytes are copied before the span ends.
        unsafe bytes.withUnsafeBytes { unsafe writes.append(copying: $0) }
        queued()
        return true
    }

    /// Queues a copy of these bytes.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: false when the stream is closing: nothing was queued.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool {
        loop.checkOnLoop()
        guard acceptsWrites else { return false }
        guard !bytes.isEmpty else { return true }
        // Safety: the bytes are copied before the array ends.
        unsafe bytes.withUnsafeBytes { unsafe writes.append(copying: $0) }
        queued()
        return true
    }

    /// Ends the output after what is queued: the peer sees the end of the stream, and can still
    /// send.
    ///
    /// > Thread: On-loop only.
    public func writeEOF() {
        loop.checkOnLoop()
        guard acceptsWrites else { return }
        isEOFWanted = true
        loop.markDirty(self)
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
        checkHighWatermark()
        checkLowWatermark()
    }

    private var acceptsWrites: Bool {
        guard phase == .open else { return false }
        return condition.isDisjoint(with: [.eofWanted, .inputOnly])
    }

    @inline(__always)
    private func queued() {
        loop.markDirty(self)
        checkHighWatermark()
    }

    @inline(__always)
    private func checkHighWatermark() {
        guard !isWritingPaused, writes.pinnedBytes > writeHighWatermark else { return }
        pauseWriting()
    }

    @inline(never)
    private func pauseWriting() {
        // Most of it may be the slack of pool buffers that hold a few bytes each.
        if writes.isSending { writes.compact() }
        guard writes.pinnedBytes > writeHighWatermark else { return }
        isWritingPaused = true
        callHandler { try $0.pauseWriting(on: self) }
    }

    @inline(__always)
    private func checkLowWatermark() {
        guard isWritingPaused, writes.pinnedBytes <= writeLowWatermark else { return }
        resumeWriting()
    }

    @inline(never)
    private func resumeWriting() {
        isWritingPaused = false
        guard phase == .open else { return }
        callHandler { try $0.resumeWriting(on: self) }
    }

    // MARK: Flushing

    @inline(__always)
    func flushQueue() {
        // Safety: the only block is not touched until the send's terminal completion.
        if condition.isEmpty, let bytes = unsafe writes.beginSendOfOnlyBlock() {
            return unsafe submit(bytes)
        }
        flushOffPath()
    }

    // Safety: the block stays in the queue, unchanged, until the send's terminal completion.
    @inline(__always)
    private func submit(_ bytes: UnsafeRawBufferPointer) {
        let token = loop.begin(.send, on: slot)
        sendToken = token
        if bytes.count >= zeroCopyBytesMin {
            return unsafe loop.driver.base.sendZeroCopy(token, on: descriptor, bytes: bytes)
        }
        unsafe loop.driver.send(token, on: descriptor, bytes: bytes)
    }

    @inline(never)
    private func flushOffPath() {
        guard slot != .none, condition.isDisjoint(with: [.ending, .lost, .sendPaused]) else {
            return
        }
        if writes.isSending { return writes.compact() }
        if !writes.isEmpty { return submitSend() }
        if phase == .flushing { return finishFlush() }
        if isEOFWanted, !isOutputShut { shutOutput() }
    }

    // Safety: the blocks of the send stay in the queue, unchanged, until its terminal completion;
    // the scratch memory belongs to the operation until then.
    private func submitSend() {
        if condition.contains(.piped) { return submitWrite() }
        if let bytes = unsafe writes.beginSendOfOnlyBlock() { return unsafe submit(bytes) }
        if let bytes = unsafe writes.beginSendOfFirstBlock(bytesMin: zeroCopyBytesMin) {
            return unsafe submit(bytes)
        }
        let token = loop.begin(.send, on: slot)
        sendToken = token
        let handle = loop.scratch.lend()
        loop.operations[token.slot].scratch = handle
        let runCount = unsafe writes.beginSend(runs: handle.runs)
        let message = unsafe handle.prepareMessage(runCount: runCount)
        unsafe loop.driver.base.sendMessage(token, on: descriptor, message: message)
    }

    @inline(__always)
    func sent(_ completion: Completion) {
        guard completion.isTerminal else { return sentWithoutCopy(completion) }
        // Safety: the loop keeps its pool.
        let pool = unsafe loop.borrowedPool
        if condition.isEmpty,
            unsafe writes.endSendOfAll(byteCount: Int(completion.result), onLoopOf: pool)
        {
            return
        }
        sentOffPath(completion)
    }

    @inline(never)
    private func sentOffPath(_ completion: Completion) {
        if let byteCount = sentBlocks?.end(completion.token) {
            writes.unpin(byteCount)
            return checkLowWatermark()
        }
        let result = sentResult ?? completion.result
        sentResult = nil
        // A cancelled send can still report bytes: they are gone.
        writes.endSend(byteCount: Int(max(result, 0)))
        if result < 0, !sendFailed(Errno(result: result)) { return }
        goOnSending()
    }

    private func goOnSending() {
        switch phase {
        case .open: if !writes.isEmpty || isEOFWanted { loop.markDirty(self) }
        case .flushing: loop.markDirty(self)
        case .ending, .lost: return
        }
        checkLowWatermark()
    }

    /// The first completion of a send without a copy: its bytes are on their way, and still read.
    ///
    /// The next send need not wait for the peer's acknowledgement; after a short one it does, since the
    /// rest lies in the same memory.
    @inline(never)
    private func sentWithoutCopy(_ completion: Completion) {
        let sent = Int(completion.result)
        guard let block = writes.detachSent(byteCount: sent) else {
            sentResult = completion.result
            return
        }
        let blocks = sentBlocks ?? SentBlocks()
        sentBlocks = blocks
        blocks.keep(block, of: completion.token)
        sendToken = nil
        goOnSending()
    }

    /// Decides what a failed send means.
    ///
    /// - Returns: whether the next flush may ask again at once.
    private func sendFailed(_ errno: Errno) -> Bool {
        switch errno {
        case .interrupted, .cancelled:
            // A signal; or the stream is ending, and a flush does nothing then.
            return true
        case .noMemory where zeroCopyBytesMin != .max, .notSupported where zeroCopyBytesMin != .max:
            // Pinned pages count against RLIMIT_MEMLOCK; not every device can send them.
            zeroCopyBytesMin = .max
            loop.stopZeroCopy(errno)
            return true
        case .again where condition.contains(.piped):
            awaitRoom()
            return false
        case .again, .noMemory, .noBuffers:
            // The kernel has no room for it now. Asking again at once would spin.
            let retry = Job.target(self, tag: StreamJob.retrySend.rawValue)
            let pauseNanoseconds: UInt64 = 10_000_000
            condition.insert(.sendPaused)
            retryTimer = loop.addTimer(at: loop.driver.base.now() &+ pauseNanoseconds, retry)
            return false
        default:
            // EPIPE, ECONNRESET, ETIMEDOUT, …: the peer is gone.
            end(IOError(.send, descriptor: descriptor, errno: errno))
            return true
        }
    }

    @inline(never)
    private func shutOutput() {
        isOutputShut = true
        guard !condition.contains(.piped) else { return outputEnded() }
        if let errno = loop.driver.base.shutdown(descriptor, .output), errno != .notConnected {
            end(IOError(.shutdown, descriptor: descriptor, errno: errno))
        }
    }
}
