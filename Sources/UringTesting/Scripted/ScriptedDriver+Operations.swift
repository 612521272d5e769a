package import CUring
internal import Glibc
package import UringEngine

extension ScriptedDriver {
    /// Records an accept.
    package func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool) {
        prepare(token, .accept(listener))
    }

    /// Connects a socket.
    ///
    /// Precondition: the address is one that `SocketAddress` can read.
    package func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) {
        // Safety: the caller keeps the address until the terminal completion.
        let bytes = unsafe UnsafeRawBufferPointer(
            start: address,
            count: MemoryLayout<cu_address>.size
        )
        let peer = unsafe SocketAddress(address.pointee)
        guard let peer else {
            preconditionFailure("a connect is given an IPv4, IPv6 or Unix address")
        }
        unsafe prepare(token, .connect(descriptor, to: peer), memory: ScriptedMemory(bytes: bytes))
    }

    /// Records a connect; the test plays its deadline.
    package func connectInTime(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) -> Bool {
        guard capabilities.linkedTimeout else { return false }
        // Safety: as of `connect`.
        unsafe connect(token, on: descriptor, to: address)
        return true
    }

    /// Records a receive.
    package func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        let verb = ScriptedVerb.receive(
            descriptor,
            byteBudget: byteBudget,
            waitForReadiness: waitForReadiness
        )
        prepare(token, verb)
    }

    /// Records a send, with the bytes that it is given now.
    package func send(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        // Safety: the caller keeps the bytes until the terminal completion.
        let memory = unsafe ScriptedMemory(bytes: bytes)
        prepare(token, .send(descriptor, bytes: Array(memory.runs.joined())), memory: memory)
    }

    /// Records a send without a copy; the bytes must stay as they are until its terminal completion.
    package func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        guard capabilities.zeroCopySend else {
            return unsafe send(token, on: descriptor, bytes: bytes)
        }
        // Safety: the caller keeps the bytes until the terminal completion.
        let memory = unsafe ScriptedMemory(bytes: bytes)
        prepare(
            token,
            .sendZeroCopy(descriptor, bytes: Array(memory.runs.joined())),
            memory: memory
        )
    }

    /// Records a message, with the bytes that its runs hold now.
    package func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    ) {
        // Safety: the caller keeps header, table and runs until the terminal completion.
        let memory = unsafe ScriptedMemory(message: message)
        prepare(token, .sendMessage(descriptor, runs: memory.runs), memory: memory)
    }

    /// Records a discard.
    package func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int) {
        prepare(token, .discard(descriptor, byteCount: byteCount))
    }

    /// Records a poll.
    package func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    ) {
        prepare(token, .poll(descriptor, events: events, isMultishot: isMultishot))
    }

    /// Records a cancel; it takes effect when it is handed over.
    package func cancel(_ token: OperationToken, target: OperationToken) {
        prepare(token, .cancel(target: target))
    }

    /// Whether the memory that an operation was given still holds what it held when it was
    /// prepared.
    ///
    /// It is checked at the hand-over and at the terminal completion anyway. True once that
    /// completion was made.
    package func isMemoryUnchanged(of token: OperationToken) -> Bool {
        operationTable[token]?.memory?.isUnchanged ?? true
    }

    /// Records a violation when the operation's memory changed.
    func checkMemory(of operation: ScriptedOperation) {
        guard let memory = operation.memory, !memory.isUnchanged else { return }
        report(.changedMemory(operation.token))
    }

    func prepare(
        _ token: OperationToken,
        _ verb: ScriptedVerb,
        memory: ScriptedMemory? = nil,
        request: FileRequest? = nil
    ) {
        precondition(!hasEnded, "a driver that was shut down takes no operation")
        precondition(token.kind == verb.kind, "a token carries the kind of its operation")
        // In a tiny build generations wrap after four uses: then only one in flight is too many.
        let former = operationTable[token]
        if let former, !StandardSizes.areTiny || former.state != .finished {
            report(.reusedToken(token))
        }
        if let descriptor = verb.descriptor { checkUse(of: descriptor, by: verb.kind) }
        operationTable.append(
            ScriptedOperation(token: token, verb: verb, memory: memory, request: request)
        )
        journal.append(.prepared(token))
    }

    private func checkUse(of descriptor: Descriptor, by kind: OperationKind) {
        if descriptors.openDescriptor(descriptor) == nil { report(.usedWhileClosed(descriptor)) }
        guard kind.isOutput else { return }
        let unfinished = operationTable.unfinishedTokens(on: descriptor)
        // A send without a copy has had its turn with its first completion.
        let isSending = unfinished.contains {
            $0.kind == kind && operationTable[$0]?.results.isEmpty ?? false
        }
        if isSending {
            report(.overlappingSends(descriptor))
        }
    }
}
