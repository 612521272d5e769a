/// Operations: begun with a token on a descriptor, ended by their terminal completion.
// Safety: slots keep their addresses, and an owner is let go only in `finishClose`, after its own
// call has returned.
extension EventLoop {
    /// Takes an operation slot and counts the operation on its descriptor.
    @inline(__always)
    func begin(_ kind: OperationKind, on slot: SlotIndex) -> OperationToken {
        let token = operations.begin(kind, on: slot)
        let descriptor = unsafe descriptors.address(of: slot)
        unsafe descriptor.pointee.inFlightCount &+= 1
        return token
    }

    /// Asks for the end of an operation, by token and never by descriptor number.
    func cancel(_ target: OperationToken, on slot: SlotIndex) {
        // The driver ended what it could; there is nobody left to ask.
        guard state != .shutDown else { return }
        let token = begin(.cancel, on: slot)
        driver.base.cancel(token, target: target)
    }

    /// Finds the owner of a completion and tells it; ends the operation first when the completion
    /// is terminal.
    @inline(__always)
    func dispatch(_ completion: Completion) {
        guard let operation = unsafe operations.resolve(completion.token) else {
            return dropStale(completion)
        }
        let slot = unsafe operation.pointee.descriptorSlot
        let descriptor = unsafe descriptors.address(of: slot)
        if completion.isTerminal { unsafe end(operation, completion.token.slot, on: descriptor) }
        if let owner = unsafe descriptor.pointee.ownerReference {
            unsafe owner._withUnsafeGuaranteedRef { $0.operationCompleted(completion) }
        }
        if completion.isTerminal { unsafe settle(descriptor, slot) }
    }

    @inline(__always)
    private func end(
        _ operation: UnsafeMutablePointer<OperationSlot>,
        _ index: SlotIndex,
        on descriptor: UnsafeMutablePointer<DescriptorTable.Slot>
    ) {
        if let handle = unsafe operation.pointee.scratch {
            unsafe operation.pointee.scratch = nil
            scratch.giveBack(handle)
        }
        unsafe operations.end(operation, at: index)
        unsafe descriptor.pointee.inFlightCount &-= 1
    }

    /// A completion of no operation in flight: a bug here or in the kernel.
    ///
    /// What it carries is given back.
    private func dropStale(_ completion: Completion) {
        operations.countStale()
        if let slice = completion.slice { pool.drop(pool.lease(slice.buffer)) }
        if completion.result >= 0, completion.token.kind?.returnsDescriptor == true {
            driver.base.close(Descriptor(rawValue: completion.result))
        }
        options.log("stale completion \(completion.token.rawValue) dropped")
        #if DEBUG
        precondition(toleratesStaleCompletions, "every completion names an operation in flight")
        #endif
    }

    // MARK: The end of a descriptor

    /// Cancels what is left on a descriptor; it closes when nothing is in flight, and its owner is
    /// told then.
    func close(_ slot: SlotIndex, mode: CloseMode) {
        guard descriptors.beginReaping(slot, mode: mode) else { return }
        let tokens = descriptors[slot].owner?.operationTokens ?? []
        for token in tokens where operations.isInFlight(token) { cancel(token, on: slot) }
        // Not at once: whoever asks is still in the middle of its own state.
        if descriptors[slot].inFlightCount == 0 {
            ready.append(.closure { [self] in unsafe settle(descriptors.address(of: slot), slot) })
        }
    }

    @inline(__always)
    private func settle(
        _ descriptor: UnsafeMutablePointer<DescriptorTable.Slot>,
        _ slot: SlotIndex
    ) {
        guard unsafe descriptor.pointee.inFlightCount == 0 else { return }
        if case .reaping(let mode) = unsafe descriptor.pointee.state {
            finishClose(slot, mode: mode)
        }
    }

    private func finishClose(_ slot: SlotIndex, mode: CloseMode) {
        let descriptor = descriptors[slot].descriptor
        guard let owner = descriptors[slot].owner else { return }
        switch mode {
        case .orderly: driver.base.close(descriptor)
        case .reset:
            // It can fail only where there is no connection to reset.
            try? driver.base.setOption(.resetOnClose, on: descriptor)
            driver.base.close(descriptor)
        // A path's operation has a slot and no descriptor.
        case .letGo: if descriptor.rawValue >= 0 { driver.base.letGo(descriptor) }
        case .wasLetGo: break
        }
        if owner.isDirty { dirty.remove(owner) }
        if owner.isStarved { starved.remove(owner) }
        descriptors.release(slot)
        owner.slot = .none
        owner.descriptorClosed()
        resumeAcceptors()
    }

    /// Nothing more is sent without a copy on this loop: the kernel refused one for a reason that stays.
    func stopZeroCopy(_ errno: Errno) {
        guard zeroCopyBytesMin != .max else { return }
        zeroCopyBytesMin = .max
        options.log(
            "a send without a copy was refused (\(errno)); this loop copies from now on. "
                + "ENOMEM: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=)"
        )
    }

    // MARK: Marks

    /// The flush phase of this tick, or of the next, will call the owner.
    @inline(__always)
    func markDirty(_ owner: DescriptorOwner) {
        guard !owner.isDirty else { return }
        owner.isDirty = true
        dirty.append(owner)
    }

    /// The owner is called when buffers are back, in the order of the marks.
    func markStarved(_ owner: DescriptorOwner) {
        counters.starvations &+= 1
        standInLine(owner)
    }

    /// Puts an owner behind those that wait for buffers.
    func standInLine(_ owner: DescriptorOwner) {
        guard !owner.isStarved else { return }
        owner.isStarved = true
        starved.append(owner)
    }

    /// A descriptor became free, or a connection ended, or was taken: who waited for that goes on.
    package func resumeAcceptors() {
        guard !pausedAcceptors.isEmpty else { return }
        let acceptors = pausedAcceptors
        pausedAcceptors.removeAll()
        for acceptor in acceptors { acceptor.placeFree() }
    }
}
