internal import CUring

/// The calls of those who wait for room to write.
// Safety: slots keep their addresses; an operation's memory is valid until its terminal completion.
extension EpollDriver {
    /// Lets the operations that wait to write go on, as far as there is room.
    func runWriters(_ known: UnsafeMutablePointer<WatchedDescriptor>) {
        while case let writer = unsafe known.pointee.writers, writer != .none,
            unsafe known.pointee.state.contains(.writable)
        {
            let operation = unsafe operations.address(of: writer)
            let token = unsafe operation.pointee.token
            let result = unsafe write(operation)
            let wanted = unsafe operation.pointee.byteCount
            switch result < 0 ? Errno(result: Int32(truncatingIfNeeded: result)) : nil {
            case .some(.interrupted): continue
            case .some(.again): unsafe waitForRoom(operation, known)
            case nil:
                if result < wanted { unsafe known.pointee.state.remove(.writable) }
                end(token, Int32(truncatingIfNeeded: result))
            case .some: end(token, Int32(truncatingIfNeeded: result))
            }
        }
    }

    private func write(_ operation: UnsafeMutablePointer<WaitingOperation>) -> Int {
        let descriptor = unsafe operation.pointee.descriptor.rawValue
        if unsafe operation.pointee.token.hasKind(.writeStream) {
            return unsafe cu_write(
                descriptor,
                operation.pointee.memory,
                operation.pointee.byteCount
            )
        }
        guard unsafe operation.pointee.token.hasKind(.send) else {
            return Int(cu_connect_result(descriptor))
        }
        let memory = unsafe operation.pointee.memory
        guard unsafe operation.pointee.isMessage else {
            return unsafe cu_send(descriptor, memory, operation.pointee.byteCount)
        }
        return unsafe cu_send_message(descriptor, memory?.assumingMemoryBound(to: cu_message.self))
    }

    private func waitForRoom(
        _ operation: UnsafeMutablePointer<WaitingOperation>,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) {
        unsafe known.pointee.state.remove(.writable)
        let (token, descriptor) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        if let failure = unsafe watch(descriptor, known, for: .writers) {
            end(token, -failure.rawValue)
        }
    }
}
