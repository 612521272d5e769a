package import CUring

// Safety: slots keep their addresses. Memory that an operation is given is the caller's and stays
// valid until the terminal completion (see KernelDriver).
extension EpollDriver {
    /// Takes connections, one completion each.
    package func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool) {
        unsafe wait(for: listener, WaitingOperation(token: token, isMultishot: isMultishot))
    }

    /// Receives when the descriptor is known to be readable, and until then waits for that: so
    /// `waitForReadiness` changes nothing.
    ///
    /// Each buffer is offered whole, so that a budget cuts no message in two; one byte less than it
    /// holds is taken off instead. One buffer is the least it takes.
    package func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        let budget = byteBudget > 0 ? max(byteBudget &- (supply.bufferBytes &- 1), 1) : .max
        unsafe wait(for: descriptor, WaitingOperation(token: token, byteCount: budget))
    }

    /// Drops received bytes without a buffer.
    package func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int) {
        unsafe wait(for: descriptor, WaitingOperation(token: token, byteCount: byteCount))
    }

    /// Sends one run of bytes at once, as far as the socket has room; without any it waits.
    @inline(__always)
    package func send(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        // After a turn without a look at the set everything waits for that look: handlers that
        // answer each sent block with the next would keep the loop from all others.
        if turnsSinceLook < 2, let known = unsafe known(descriptor),
            unsafe known.pointee.state.contains(.writable), unsafe known.pointee.writers == .none
        {
            let result = unsafe cu_send(descriptor.rawValue, bytes.baseAddress, bytes.count)
            if result == bytes.count {
                counters.submissions &+= 1
                return completions.append(
                    Completion(token: token, result: Int32(truncatingIfNeeded: result))
                )
            }
            // Safety: as above.
            if unsafe sendFellShort(token, result, on: known) { return }
        }
        unsafe wait(
            for: descriptor,
            WaitingOperation(token: token, memory: bytes.baseAddress, byteCount: bytes.count)
        )
    }

    /// Takes in a send of less than all.
    ///
    /// - Returns: false when it has to wait, or to be made again.
    @inline(never)
    private func sendFellShort(
        _ token: OperationToken,
        _ result: Int,
        on known: UnsafeMutablePointer<WatchedDescriptor>
    ) -> Bool {
        switch result < 0 ? Errno(result: Int32(truncatingIfNeeded: result)) : nil {
        case .some(.interrupted): return false
        case .some(.again):
            unsafe known.pointee.state.remove(.writable)
            return false
        case nil:
            // The kernel took what it had room for: no call is needed to learn that there is none.
            unsafe known.pointee.state.remove(.writable)
        case .some: break
        }
        counters.submissions &+= 1
        complete(token, Int32(truncatingIfNeeded: result))
        return true
    }

    /// Sends a message of several runs in the next turn's calls.
    package func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    ) {
        var byteCount = 0
        let header = unsafe message.pointee.header
        for run in 0..<Int(unsafe header.msg_iovlen) {
            byteCount += unsafe header.msg_iov[run].iov_len
        }
        let operation = unsafe WaitingOperation(
            token: token,
            memory: UnsafeRawPointer(message),
            byteCount: byteCount,
            isMessage: true
        )
        wait(for: descriptor, operation)
    }

    /// Connects a socket; unless the kernel says at once what comes of it, that is waited for.
    package func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) {
        let result = unsafe cu_connect(descriptor.rawValue, address)
        switch result < 0 ? Errno(result: result) : nil {
        case .some(.inProgress), .some(.interrupted):
            // A signal changes nothing: the connect goes on (connect(2)).
            guard let known = unsafe known(descriptor) else { break }
            unsafe known.pointee.state.remove(.writable)
            return unsafe wait(for: descriptor, WaitingOperation(token: token))
        case nil, .some: break
        }
        counters.submissions &+= 1
        complete(token, result)
    }

    /// Ends an operation by its token.
    ///
    /// One that is over may still lie unread in the queue.
    package func cancel(_ token: OperationToken, target: OperationToken) {
        precondition(!isShutDown, "no operation is asked for after shutDown")
        counters.submissions &+= 1
        guard operations.contains(target.slot),
            unsafe operations.address(of: target.slot).pointee.token == target
        else { return complete(token, -Errno.notFound.rawValue) }
        end(target, -Errno.cancelled.rawValue)
        complete(token, 0)
    }
}

// Safety: as above.
extension EpollDriver {
    /// Queues a completion without bytes.
    @inline(__always)
    func complete(_ token: OperationToken, _ result: Int32, isTerminal: Bool = true) {
        completions.append(Completion(token: token, result: result, isTerminal: isTerminal))
    }

    /// Puts an operation into the list of its descriptor, and sees that it leaves it.
    func wait(for descriptor: Descriptor, _ operation: WaitingOperation) {
        precondition(!isShutDown, "no operation is asked for after shutDown")
        counters.submissions &+= 1
        guard let known = unsafe known(descriptor) else {
            return complete(operation.token, -Errno.badDescriptor.rawValue)
        }
        guard let kind = operation.token.kind else {
            preconditionFailure("a token carries the kind of its operation")
        }
        let side = WatchedDescriptor.Side(kind)
        if let failure = unsafe watch(descriptor, known, for: side) {
            return complete(operation.token, -failure.rawValue)
        }
        keep(operation, on: descriptor)
        unsafe append(operation.token.slot, to: known, side)
        if unsafe known.pointee.hasSomethingToDo {
            ready.append(
                SlotIndex(rawValue: UInt32(bitPattern: descriptor.rawValue)),
                in: descriptors
            )
        }
    }

    private func keep(_ operation: WaitingOperation, on descriptor: Descriptor) {
        let slot = operation.token.slot
        while !operations.contains(slot) {
            let added = operations.grow { _ in WaitingOperation() }
            precondition(added != nil, "the loop numbers its operations from zero on")
        }
        let place = unsafe operations.address(of: slot)
        unsafe assert(
            place.pointee.token == WaitingOperation.idle,
            "a slot is used again after its end"
        )
        unsafe place.pointee = operation
        unsafe place.pointee.descriptor = descriptor
    }

    private func append(
        _ slot: SlotIndex,
        to known: UnsafeMutablePointer<WatchedDescriptor>,
        _ side: WatchedDescriptor.Side
    ) {
        var last = unsafe known.pointee[side]
        guard last != .none else {
            unsafe known.pointee[side] = slot
            return
        }
        while case let next = unsafe operations.address(of: last).pointee.next, next != .none {
            last = next
        }
        unsafe operations.address(of: last).pointee.next = slot
    }

    /// Ends an operation that waits: takes it out of its list and queues its terminal completion.
    func end(_ token: OperationToken, _ result: Int32) {
        release(token)
        complete(token, result)
    }

    /// Takes an operation out of its list.
    func release(_ token: OperationToken) {
        let operation = unsafe operations.address(of: token.slot)
        guard let kind = token.kind, let known = unsafe known(operation.pointee.descriptor) else {
            preconditionFailure("only an operation that waits is taken out of a list")
        }
        let side = WatchedDescriptor.Side(kind)
        let next = unsafe operation.pointee.next
        unsafe operation.pointee = WaitingOperation()
        guard unsafe known.pointee[side] != token.slot else {
            unsafe known.pointee[side] = next
            return
        }
        var before = unsafe known.pointee[side]
        while case let after = unsafe operations.address(of: before).pointee.next,
            after != token.slot
        {
            before = after
        }
        unsafe operations.address(of: before).pointee.next = next
    }
}
