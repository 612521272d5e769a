import UringEngine

/// Pipes on a simulated kernel.
// Safety: the contract of `KernelDriver` keeps what these verbs are given until the terminal
// completion.
extension SimulatedDriver {
    func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    ) {
        prepare(token, .readStream(isMultishot: isMultishot), on: descriptor)
    }

    func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        let memory = unsafe SimulatedMemory([bytes])
        prepare(token, .writeStream(memory), on: descriptor, memory: memory)
    }

    func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd) {
        guard let (reader, writer) = kernel.makePipe() else {
            throw IOError(.openPipe, errno: .tooManyFiles)
        }
        trace(.control, (Int(reader.rawValue), Int(writer.rawValue), 0), "pipe")
        return (
            StreamEnd(reader, isWritable: false), StreamEnd(writer, isReadable: false)
        )
    }

    /// Takes a pipe's end; a simulated kernel has no second open file description.
    func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        guard let socket = kernel.socket(descriptor) else {
            throw IOError(.adoptDescriptor, descriptor: descriptor, errno: .badDescriptor)
        }
        guard socket.isPipe, ownership == .taken else {
            throw IOError(.adoptDescriptor, descriptor: descriptor, reason: .wrongKind)
        }
        return StreamEnd(
            descriptor,
            isReadable: !socket.isInputShut,
            isWritable: !socket.isOutputShut
        )
    }

    func giveBack(_ borrowed: Descriptor) {
        close(borrowed)
    }

    func checkPollable(_ descriptor: Descriptor) throws(IOError) {
        guard kernel.socket(descriptor) != nil else {
            throw IOError(.poll, descriptor: descriptor, errno: .badDescriptor)
        }
    }
}
