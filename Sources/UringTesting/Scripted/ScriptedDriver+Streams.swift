package import UringEngine

/// Pipes and terminals, in numbers that only this driver knows.
extension ScriptedDriver {
    // MARK: What a test sets

    /// Hands out a descriptor that a loop can adopt: both directions unless told otherwise.
    package func makeEnd(
        isReadable: Bool = true,
        isWritable: Bool = true,
        isPipe: Bool = true
    ) -> Descriptor {
        let descriptor = descriptors.add(ScriptedDescriptor(state: .connected))
        let end = StreamEnd(
            descriptor,
            isReadable: isReadable,
            isWritable: isWritable,
            isPipe: isPipe
        )
        descriptors.update(descriptor) { $0.end = end }
        return descriptor
    }

    // MARK: The verbs

    /// Records a read.
    package func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    ) {
        let verb = ScriptedVerb.readStream(
            descriptor,
            byteBudget: byteBudget,
            isMultishot: isMultishot
        )
        prepare(token, verb)
    }

    /// Records a write, with the bytes that it is given now.
    package func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        // Safety: the caller keeps the bytes until the terminal completion.
        let memory = unsafe ScriptedMemory(bytes: bytes)
        let verb = ScriptedVerb.writeStream(descriptor, bytes: Array(memory.runs.joined()))
        prepare(token, verb, memory: memory)
    }

    /// Hands out two numbers.
    package func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd) {
        try throwFailure(of: .openPipe)
        let (reader, writer) = (makeEnd(isWritable: false), makeEnd(isReadable: false))
        return (
            StreamEnd(reader, isWritable: false), StreamEnd(writer, isReadable: false)
        )
    }

    /// Gives what `makeEnd` made; a shared one gets a number of its own.
    package func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        let value = try check(descriptor, for: .takeEnd)
        guard let end = value.end else {
            throw IOError(.adoptDescriptor, descriptor: descriptor, reason: .wrongKind)
        }
        guard ownership == .shared else { return end }
        let copy = makeEnd(
            isReadable: end.isReadable,
            isWritable: end.isWritable,
            isPipe: end.isPipe
        )
        return StreamEnd(
            copy,
            isReadable: end.isReadable,
            isWritable: end.isWritable,
            isPipe: end.isPipe
        )
    }

    /// Closes the number.
    package func giveBack(_ borrowed: Descriptor) {
        close(borrowed)
    }

    /// Every open number is pollable, unless a test scripts it otherwise.
    package func checkPollable(_ descriptor: Descriptor) throws(IOError) {
        _ = try check(descriptor, for: .checkPollable)
    }
}

extension OperationKind {
    /// One at most may be in flight on a descriptor.
    var isOutput: Bool { self == .send || self == .writeStream }
}
