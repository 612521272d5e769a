import UringEngine

extension SimulatedDriver {
    func perform(_ token: OperationToken, _ request: FileRequest) -> Bool {
        let descriptor = request.descriptor
        let file = descriptor.flatMap { kernel.fileSystem[$0] }
        if let descriptor, file == nil { kernel.fail(.usedWhileClosed(descriptor)) }
        var memory: SimulatedMemory?
        // Safety: the contract of `KernelDriver` keeps the bytes until the terminal completion.
        if case .write(_, let bytes, _) = request { memory = unsafe SimulatedMemory([bytes]) }
        let operation = SimulatedOperation(
            token,
            .file(request),
            on: descriptor ?? Descriptor(rawValue: -1),
            of: nil,
            driver: self,
            memory: memory
        )
        operation.file = file
        file?.operations.append(operation)
        prepare(operation)
        return true
    }
}
