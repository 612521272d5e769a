package import UringEngine

// Safety: the caller keeps what a request points to until the terminal completion.
extension ScriptedDriver {
    /// Records a request; with `performsFiles` off it refuses all, as epoll does.
    package func perform(_ token: OperationToken, _ request: FileRequest) -> Bool {
        guard performsFiles else { return false }
        var memory: ScriptedMemory?
        if case .write(_, let bytes, _) = request { memory = unsafe ScriptedMemory(bytes: bytes) }
        if case .close(let descriptor) = request {
            let tokens = operationTable.unfinishedTokens(on: descriptor)
            if !tokens.isEmpty { report(.closedInFlight(descriptor, tokens)) }
        }
        prepare(
            token,
            .file(request.descriptor, ScriptedFileVerb(request)),
            memory: memory,
            request: request
        )
        return true
    }

    /// Answers an open with a new descriptor.
    @discardableResult
    package func completeOpen(_ token: OperationToken) -> Descriptor {
        let descriptor = descriptors.add(ScriptedDescriptor(state: .open))
        complete(token, result: descriptor.rawValue)
        return descriptor
    }

    /// Answers a read with these bytes; none are the end of the file.
    package func completeRead(_ token: OperationToken, _ bytes: [UInt8]) {
        guard let operation = operationTable[token],
            case .read(_, let memory, _)? = operation.request
        else {
            preconditionFailure("bytes go to a read, not to \(token.text)")
        }
        precondition(bytes.count <= memory.count, "no more comes than was asked for")
        unsafe memory.copyBytes(from: bytes)
        complete(token, result: Int32(bytes.count))
    }

    /// The oldest request of a kind in flight that `isWanted` says yes to.
    package func fileOperation(
        where isWanted: (ScriptedFileVerb) -> Bool
    ) -> ScriptedOperation? {
        operationTable.all.first { operation in
            guard operation.isInFlight, case .file(_, let verb) = operation.verb else {
                return false
            }
            return isWanted(verb)
        }
    }
}
