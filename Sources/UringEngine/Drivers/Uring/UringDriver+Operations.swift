package import CUring
internal import Glibc

// Safety: an entry is written before the next one is taken; the kernel reads it when it is handed
// over. Memory that an entry points to is the caller's and stays valid until the terminal
// completion (see KernelDriver).
extension UringDriver {
    /// Takes connections; one completion each while `multishotAccept` is there.
    package func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool) {
        let staysArmed = isMultishot && capabilities.multishotAccept
        unsafe cu_prepare_accept(nextEntry(), listener.rawValue, staysArmed, token.rawValue)
    }

    /// Connects a socket.
    package func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) {
        unsafe cu_prepare_connect(
            nextEntry(),
            descriptor.rawValue,
            address,
            address.pointee.length,
            token.rawValue
        )
    }

    /// Connects a socket; an entry linked to it ends it at its deadline (IORING_OP_LINK_TIMEOUT).
    ///
    /// The pair is handed over together, or the link would be lost: without room for two it begins
    /// nothing. The deadline's own completion is the driver's, and comes in any order.
    package func connectInTime(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) -> Bool {
        guard capabilities.linkedTimeout, unsafe !hasBacklog, unsafe cu_has_room_for_two(raw)
        else { return false }
        let entry = unsafe nextEntry()
        unsafe cu_prepare_connect(
            entry,
            descriptor.rawValue,
            address,
            address.pointee.length,
            token.rawValue
        )
        let offset = MemoryLayout<cu_address>.offset(of: \.deadline) ?? 0
        let deadline = unsafe UnsafeRawPointer(address).advanced(by: offset)
            .assumingMemoryBound(to: __kernel_timespec.self)
        let own = OperationToken.driverOwn(.connectDeadline).rawValue
        unsafe cu_prepare_link_timeout(entry, nextEntry(), deadline, own)
        return true
    }

    /// Receives into buffers that the kernel picks, or the driver where it must.
    ///
    /// One buffer is the least it takes.
    package func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        switch receiveMode {
        case .budgeted:
            let budget = kernelBudget(byteBudget)
            unsafe cu_prepare_receive(
                nextEntry(),
                descriptor.rawValue,
                ProvidedBuffers.group,
                true,
                waitForReadiness,
                budget,
                token.rawValue
            )
        case .multishot, .oneShot:
            let isMultishot = receiveMode == .multishot
            unsafe cu_prepare_receive(
                nextEntry(),
                descriptor.rawValue,
                ProvidedBuffers.group,
                isMultishot,
                waitForReadiness,
                0,
                token.rawValue
            )
        case .emulated:
            let request = unsafe EmulatedReceive.Request(
                descriptor: descriptor,
                byteBudget: byteBudget
            )
            receiveEmulated(token, request)
        }
    }

    /// The kernel looks at its total only between buffers, and so overshoots by less than one: that
    /// much is taken off.
    ///
    /// A total above `Int32.max` counts as reached after the first buffer (Linux 6.18 compares it
    /// as an `int`).
    @inline(__always)
    private func kernelBudget(_ byteBudget: Int) -> UInt32 {
        UInt32(
            truncatingIfNeeded: min(max(unsafe byteBudget &- budgetSlackBytes, 1), Int(Int32.max))
        )
    }

    /// Polls, then receives when the poll answers.
    func receiveEmulated(_ token: OperationToken, _ request: EmulatedReceive.Request) {
        emulation.expect(token, request)
        let events = PollEvents.readable.rawValue
        unsafe cu_prepare_poll(
            nextEntry(),
            request.descriptor.rawValue,
            events,
            false,
            token.rawValue
        )
    }

    /// Sends one run of bytes, waiting in the kernel for room for all of it.
    @inline(__always)
    package func send(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        let count = UInt32(clamping: bytes.count)
        unsafe cu_prepare_send(
            nextEntry(),
            descriptor.rawValue,
            bytes.baseAddress,
            count,
            token.rawValue
        )
    }

    /// Sends one run of bytes where it lies.
    package func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        guard capabilities.zeroCopySend else {
            return unsafe send(token, on: descriptor, bytes: bytes)
        }
        unsafe cu_prepare_send_zero_copy(
            nextEntry(),
            descriptor.rawValue,
            bytes.baseAddress,
            UInt32(clamping: bytes.count),
            token.rawValue
        )
    }

    /// Sends a message of several runs.
    package func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    ) {
        // The header is the structure's only member.
        let header = unsafe UnsafeRawPointer(message).assumingMemoryBound(to: msghdr.self)
        unsafe cu_prepare_send_message(nextEntry(), descriptor.rawValue, header, token.rawValue)
    }

    /// Reads into a buffer that the kernel picks; without a buffer ring, once a poll has answered.
    package func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    ) {
        guard receiveMode != .emulated else {
            let request = unsafe EmulatedReceive.Request(
                descriptor: descriptor,
                byteBudget: byteBudget,
                isStream: true
            )
            return receiveEmulated(token, request)
        }
        unsafe cu_prepare_read(
            nextEntry(),
            descriptor.rawValue,
            ProvidedBuffers.group,
            isMultishot && capabilities.multishotRead,
            token.rawValue
        )
    }

    /// Writes one run of bytes.
    package func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        let count = UInt32(clamping: bytes.count)
        unsafe cu_prepare_write(
            nextEntry(),
            descriptor.rawValue,
            bytes.baseAddress,
            count,
            token.rawValue
        )
    }

    /// Drops received bytes without a buffer.
    package func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int) {
        let count = UInt32(clamping: byteCount)
        unsafe cu_prepare_discard(nextEntry(), descriptor.rawValue, count, token.rawValue)
    }

    /// Reports readiness; once only where a poll cannot stay armed.
    package func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    ) {
        let staysArmed = isMultishot && capabilities.multishotPoll
        unsafe cu_prepare_poll(
            nextEntry(),
            descriptor.rawValue,
            events.rawValue,
            staysArmed,
            token.rawValue
        )
    }

    /// Asks for the end of an operation, by its token and never by its descriptor, whose number may
    /// be another's by now.
    package func cancel(_ token: OperationToken, target: OperationToken) {
        unsafe cu_prepare_cancel(nextEntry(), target.rawValue, token.rawValue)
    }

    /// The next free entry.
    ///
    /// One is always to be had: nothing is dropped when the queue is full.
    @inline(__always)
    func nextEntry() -> UnsafeMutablePointer<io_uring_sqe> {
        unsafe operationsInFlight &+= 1
        // Behind a backlog every entry queues: a cancel must not overtake the operation it is meant
        // for.
        if unsafe !hasBacklog, unsafe cu_has_room(raw) { return unsafe cu_take_entry(raw) }
        return unsafe entryBeyondQueue()
    }

    /// Hands the full queue over, and takes an entry of what that freed, or else of the backlog.
    @inline(never)
    private func entryBeyondQueue() -> UnsafeMutablePointer<io_uring_sqe> {
        precondition(!isShutDown, "no operation is asked for after shutDown")
        unsafe counters.submissionQueueFull &+= 1
        handOver()
        settleBacklog()
        if unsafe !hasBacklog, let entry = unsafe cu_next_entry(raw) { return unsafe entry }
        unsafe hasBacklog = true
        unsafe needsSettling = true
        return unsafe backlog.append()
    }

    /// Moves the backlog into the queue, as far as it has room.
    func settleBacklog() {
        guard unsafe hasBacklog else { return }
        backlog.move(to: ring)
        unsafe hasBacklog = !backlog.isEmpty
    }
}
