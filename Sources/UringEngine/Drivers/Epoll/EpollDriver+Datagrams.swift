package import CUring

/// The calls of those who wait for datagrams.
// Safety: slots keep their addresses; a buffer is the driver's until its completion hands it over, and
// an operation's message is valid until its terminal completion.
extension EpollDriver {
    /// Receives datagrams when the descriptor is known to be readable, and until then waits for that.
    package func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    ) {
        let memory = UnsafeRawPointer(message)
        // The count begins with a guess: one datagram has come.
        let operation = unsafe WaitingOperation(token: token, memory: memory, byteCount: 1)
        wait(for: descriptor, operation)
    }

    /// Sends one datagram at once.
    @inline(__always)
    package func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        datagram.send(on: descriptor)
    }

    /// Opens a datagram socket, close-on-exec and non-blocking.
    package func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let descriptor = try SystemSockets().openDatagramSocket(for: address)
        forget(descriptor)
        return descriptor
    }

    /// Takes datagrams, several a call (recvmmsg(2)), each in a buffer as `MessageLayout` says.
    ///
    /// A call asks for twice as many as the last one brought: what is asked for in vain costs the filling
    /// of a header.
    func receiveMessages(
        _ operation: UnsafeMutablePointer<WaitingOperation>,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) -> ReadOutcome {
        let (token, descriptor) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        var left = min(Int(CU_BATCH_MESSAGES), completionsPerTurnMax)
        while left > 0 {
            let guess = unsafe 2 &* operation.pointee.byteCount
            let wanted = unsafe prepare(min(max(guess, 2), left), operation.pointee.memory)
            guard wanted > 0 else { return end(token, -Errno.noBuffers.rawValue, .ended) }
            let batch = unsafe messages.pointer
            let count = unsafe cu_receive_batch(descriptor.rawValue, batch, UInt32(wanted))
            guard count > 0 else {
                guard let outcome = endOfInput(token, count) else { continue }
                return outcome
            }
            hand(over: count, to: token)
            unsafe operation.pointee.byteCount = count
            left &-= count
            // Fewer than asked for were all, unless an error stands behind them (recvmmsg(2), BUGS):
            // it was reported, and that report may have been the one that led here.
            if count < wanted, unsafe !known.pointee.state.contains(.ended) { return .drained }
        }
        return .yielded
    }

    /// Points as many messages at buffers as there are, `countMax` at most.
    private func prepare(_ countMax: Int, _ template: UnsafeRawPointer?) -> Int {
        guard let template = unsafe template?.assumingMemoryBound(to: cu_message.self) else {
            preconditionFailure("a receive of messages says how much room they need")
        }
        let header = unsafe template.pointee.header
        let count = min(countMax, supply.count)
        let batch = unsafe messages.pointer
        for index in 0..<count {
            unsafe cu_set_batch_message(
                batch,
                index,
                supply.address(ofNext: index),
                supply.bufferBytes,
                header.msg_namelen,
                header.msg_controllen
            )
        }
        return count
    }

    private func hand(over count: Int, to token: OperationToken) {
        let batch = unsafe messages.pointer
        for index in 0..<count {
            guard let (buffer, address) = unsafe supply.next else {
                preconditionFailure("a datagram came into a buffer of the supply")
            }
            let result = unsafe cu_end_batch_message(batch, index, address)
            supply.takeNext()
            completions.append(
                Completion(token: token, result: result, isTerminal: false, buffer: buffer)
            )
        }
    }
}

/// The memory that a call for several datagrams is given; made with the first.
///
/// > Thread: On-loop only.
@safe final class MessageBatch {
    // Safety: allocated in init, freed in deinit; it is used during calls only.
    let pointer: UnsafeMutablePointer<cu_message_batch>

    init() {
        unsafe pointer = .allocate(capacity: 1)
        unsafe pointer.initialize(to: cu_message_batch())
    }

    deinit {
        unsafe pointer.deallocate()
    }
}
