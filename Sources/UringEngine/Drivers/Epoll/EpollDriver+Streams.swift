/// Pipes and terminals: always non-blocking here, so that no call keeps the loop.
// Safety: memory that an operation is given is the caller's until the terminal completion.
extension EpollDriver {
    /// Reads as a receive does, by read(2), with the same budget.
    package func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    ) {
        let budget = byteBudget > 0 ? max(byteBudget &- (supply.bufferBytes &- 1), 1) : .max
        unsafe wait(for: descriptor, WaitingOperation(token: token, byteCount: budget))
    }

    /// Writes in the next turn's calls.
    package func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        unsafe wait(
            for: descriptor,
            WaitingOperation(token: token, memory: bytes.baseAddress, byteCount: bytes.count)
        )
    }

    /// Makes a pipe.
    package func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd) {
        let ends = try SystemSockets().openPipe()
        forget(ends.reader.descriptor)
        forget(ends.writer.descriptor)
        return ends
    }

    /// Takes a descriptor in; whatever was known of its number was about another.
    package func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        let end = try SystemSockets().takeEnd(of: descriptor, ownership)
        if ownership == .taken { forget(descriptor) }
        forget(end.descriptor)
        return end
    }

    /// The set: it is readable while events wait in it, which become completions in the next turn.
    package func turnDescriptor() throws(IOError) -> Descriptor? {
        Descriptor(rawValue: set.descriptor)
    }

    /// Calls that are worth trying, or completions that no event announces.
    package var needsAnotherTurn: Bool { ready.count > 0 || completions.count > 0 }
}
