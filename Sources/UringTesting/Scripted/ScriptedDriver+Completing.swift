package import UringEngine

extension ScriptedDriver {
    /// Queues a completion: any result, terminal or not, in any order among operations.
    ///
    /// `buffer` is taken out of the published ones. `allowStale` permits a token that is unknown or
    /// over, and checks nothing then. Precondition without it: the operation was handed over and
    /// has no terminal completion yet.
    package func complete(
        _ token: OperationToken,
        result: Int32,
        isTerminal: Bool = true,
        buffersReleased: Bool = true,
        buffer: BufferID = .none,
        offset: UInt32 = 0,
        allowStale: Bool = false
    ) {
        let completion = Completion(
            token: token,
            result: result,
            isTerminal: isTerminal,
            buffersReleased: buffersReleased,
            buffer: buffer,
            offset: offset
        )
        if buffer != .none { buffers.release(buffer) }
        queue(completion, allowStale: allowStale)
    }

    /// Queues a failure.
    package func fail(
        _ token: OperationToken,
        with errno: Errno,
        isTerminal: Bool = true,
        allowStale: Bool = false
    ) {
        complete(token, result: -errno.rawValue, isTerminal: isTerminal, allowStale: allowStale)
    }

    /// Queues received bytes in the next published buffer, and returns that buffer.
    ///
    /// Without `isTerminal` the kernel's rule holds: a multishot receive ends when its budget is
    /// used up, any other with its first bytes. Precondition: a buffer is published; script
    /// `.noBuffers` when none is meant to be left.
    @discardableResult
    package func deliver(
        _ bytes: [UInt8],
        to token: OperationToken,
        isTerminal: Bool? = nil
    ) -> BufferID {
        precondition(!bytes.isEmpty, "a delivery has bytes; the end of a stream is `endStream`")
        guard let operation = operationTable[token], operation.state == .handedOver,
            let budget = operation.verb.inputBudget
        else {
            preconditionFailure("bytes go to a receive that was handed over, not to \(token.text)")
        }
        let left = budget - operation.deliveredByteCount - bytes.count
        let hasBudget = capabilities.receiveBudget && budget > 0
        precondition(
            !hasBudget || left >= 0,
            "a kernel that keeps budgets delivers at most \(budget) bytes"
        )
        let canGoOn = operation.canContinue(capabilities, buffersReleased: true)
        let isOver = !canGoOn || hasBudget && left == 0
        let buffer = buffers.take(filledWith: bytes)
        let completion = Completion(
            token: token,
            result: Int32(bytes.count),
            isTerminal: isTerminal ?? isOver,
            buffer: buffer
        )
        queue(completion, allowStale: false)
        operationTable.update(token) { $0.deliveredByteCount += bytes.count }
        return buffer
    }

    /// Queues a completion with a buffer that was taken out of the published ones already.
    func complete(
        _ token: OperationToken,
        result: Int32,
        isTerminal: Bool = true,
        takenBuffer: BufferID
    ) {
        let completion = Completion(
            token: token,
            result: result,
            isTerminal: isTerminal,
            buffer: takenBuffer
        )
        queue(completion, allowStale: false)
    }

    private func queue(_ completion: Completion, allowStale: Bool) {
        let token = completion.token
        if let operation = operationTable[token], operation.state == .handedOver {
            check(completion, against: operation)
            apply(completion, to: operation)
        } else {
            precondition(
                allowStale,
                "a completion needs an operation that was handed over and is not over: \(token.text)"
            )
        }
        if token.kind?.returnsDescriptor ?? false, completion.result >= 0 {
            precondition(
                descriptors.openDescriptor(Descriptor(rawValue: completion.result)) != nil,
                "an accept or open reports a descriptor that this driver made"
            )
        }
        unread.append(completion)
        journal.append(
            .answered(token, result: completion.result, isTerminal: completion.isTerminal)
        )
    }

    private func check(_ completion: Completion, against operation: ScriptedOperation) {
        let canContinue = operation.canContinue(
            capabilities,
            buffersReleased: completion.buffersReleased
        )
        precondition(
            completion.isTerminal || canContinue,
            "only a multishot operation has more completions than its terminal one"
        )
        if operation.kind.isOutput {
            let sum = operation.sentByteCount + Int(max(completion.result, 0))
            precondition(
                sum <= operation.verb.bytes.count,
                "a send reports at most the bytes it was given"
            )
        }
    }

    private func apply(_ completion: Completion, to operation: ScriptedOperation) {
        if completion.isTerminal { checkMemory(of: operation) }
        operationTable.update(operation.token) { operation in
            operation.results.append(completion.result)
            if operation.kind.isOutput { operation.sentByteCount += Int(max(completion.result, 0)) }
            guard completion.isTerminal else { return }
            operation.state = .answered
            operation.memory = nil
        }
        if case .file(let descriptor?, .close) = operation.verb, completion.result >= 0 {
            markClosed(descriptor)
        }
        guard case .connect(let descriptor, let peer) = operation.verb, completion.result == 0
        else {
            return
        }
        let local = descriptors.resolved(.ipv4(0x7F00_0001, port: 0))
        descriptors.update(descriptor) { value in
            value.state = .connected
            value.peerAddress = peer
            value.localAddress = value.localAddress ?? local
        }
    }
}
