internal import CUring

// Safety: entries below the queue's tail are written by the kernel and ours until the head is
// advanced, once, at the end.
extension UringDriver {
    /// Copies completions out, at most `batch.room`, and gives their places back to the kernel.
    package func reap(into batch: inout CompletionBatch) {
        let count = min(unsafe Int(cu_ready_completions(raw)), batch.room)
        guard count > 0 else { return }
        if receiveMode == .emulated {
            reapEmulating(count, into: &batch)
        } else {
            unsafe batch.fill { places, _ in
                unsafe copy(UInt32(truncatingIfNeeded: count), to: places)
            }
        }
        unsafe cu_advance_completions(raw, UInt32(truncatingIfNeeded: count))
        unsafe counters.completions &+= UInt64(truncatingIfNeeded: count)
    }

    /// Decodes `count` completions into `places`, the driver's own left out.
    ///
    /// The queue's words are read once: the compiler cannot know that decoding does not change
    /// them.
    ///
    /// - Returns: how many places it filled.
    @inline(__always)
    private func copy(_ count: UInt32, to places: UnsafeMutablePointer<Completion>) -> Int {
        let entries = unsafe cu_completions(raw)
        let mask = unsafe cu_completion_mask(raw)
        var position = unsafe cu_completion_head(raw)
        let end = position &+ count
        var filled = 0
        var moreCount = 0
        while position != end {
            let entry = unsafe entries + Int(position & mask)
            position &+= 1
            let completion = unsafe decode(entry)
            moreCount &+= completion.isTerminal ? 0 : 1
            if completion.token.isDriverOwn {
                finishOwn(completion.token, isTerminal: completion.isTerminal)
            } else {
                unsafe (places + filled).initialize(to: completion)
                filled &+= 1
            }
        }
        unsafe operationsInFlight &-= Int(count) &- moreCount
        return filled
    }

    @inline(__always)
    private func decode(_ entry: UnsafePointer<io_uring_cqe>) -> Completion {
        let completion = unsafe Completion(
            token: OperationToken(rawValue: entry.pointee.user_data),
            kernelWord: cu_completion_word(entry)
        )
        // Also with a result of zero or less: then the buffer is empty, and must come back all the
        // same.
        if completion.hasBuffer { unsafe supply.check(completion) }
        return completion
    }

    /// The same where a receive's completion is its poll's: receives, or polls again.
    @inline(never)
    private func reapEmulating(_ count: Int, into batch: inout CompletionBatch) {
        for index in 0..<UInt32(truncatingIfNeeded: count) {
            let entry = unsafe cu_completion(raw, index)
            let token = unsafe OperationToken(rawValue: entry.pointee.user_data)
            let isReading =
                token.hasKind(.receive) || token.hasKind(.receiveMessage)
                || token.hasKind(.readStream)
            guard isReading else {
                unsafe copyOther(entry, into: &batch)
                continue
            }
            unsafe operationsInFlight &-= 1
            switch unsafe emulation.finish(token, result: entry.pointee.res) {
            case .done(let completion): batch.append(completion)
            case .pollAgain(let request): receiveEmulated(token, request)
            }
        }
    }

    private func copyOther(
        _ entry: UnsafePointer<io_uring_cqe>,
        into batch: inout CompletionBatch
    ) {
        let completion = unsafe decode(entry)
        if completion.isTerminal { unsafe operationsInFlight &-= 1 }
        if completion.token.isDriverOwn {
            return finishOwn(completion.token, isTerminal: completion.isTerminal)
        }
        batch.append(completion)
    }

    /// A completion of the driver's own: only the waker's asks for anything.
    @inline(never)
    private func finishOwn(_ token: OperationToken, isTerminal: Bool) {
        guard token == .driverOwn(.waker) else { return }
        unsafe counters.wakes &+= 1
        guard isTerminal else { return }
        // A multishot poll of the eventfd is never read: each write reports once. It may end at any
        // time, though, and a poll that fires once would fire at once again. Draining comes first,
        // so that a wake in between still counts.
        if !capabilities.multishotPoll { wakeSource.drain() }
        isWakerArmed = false
        unsafe needsSettling = true
    }

    /// Polls the waker's eventfd.
    ///
    /// It is handed over with the next wait, which is early enough.
    func armWaker() {
        isWakerArmed = true
        poll(
            .driverOwn(.waker),
            on: wakeSource.descriptor,
            events: .readable,
            isMultishot: true
        )
    }
}
