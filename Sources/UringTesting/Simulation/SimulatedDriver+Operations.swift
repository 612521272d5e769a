import CUring
import UringEngine

// Safety: the contract of `KernelDriver` keeps what these verbs are given until the terminal
// completion.
extension SimulatedDriver {
    func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool) {
        prepare(token, .accept(isMultishot: isMultishot), on: listener)
    }

    func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) {
        let run = unsafe UnsafeRawBufferPointer(
            start: address,
            count: MemoryLayout<cu_address>.size
        )
        guard let peer = unsafe SocketAddress(address.pointee) else {
            return kernel.fail("\(token.text) was given no IPv4, IPv6 or Unix address")
        }
        unsafe prepare(token, .connect(peer), on: descriptor, memory: SimulatedMemory([run]))
    }

    func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        prepare(
            token,
            .receive(byteBudget: byteBudget, waitsFirst: waitForReadiness),
            on: descriptor
        )
    }

    func send(_ token: OperationToken, on descriptor: Descriptor, bytes: UnsafeRawBufferPointer) {
        let memory = unsafe SimulatedMemory([bytes])
        prepare(token, .send(memory), on: descriptor, memory: memory)
    }

    func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        let memory = unsafe SimulatedMemory([bytes])
        let isZeroCopy = capabilities.zeroCopySend
        prepare(token, .send(memory), on: descriptor, memory: memory, isZeroCopy: isZeroCopy)
    }

    func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    ) {
        let (all, payload) = unsafe SimulatedMemory.message(message)
        prepare(token, .send(payload), on: descriptor, memory: all)
    }

    func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int) {
        prepare(token, .discard(byteCount: byteCount), on: descriptor)
    }

    func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    ) {
        prepare(token, .poll(events, isMultishot: isMultishot), on: descriptor)
    }

    func cancel(_ token: OperationToken, target: OperationToken) {
        let none = Descriptor(rawValue: -1)
        prepare(SimulatedOperation(token, .cancel(target), on: none, of: nil, driver: self))
    }

    func prepare(
        _ token: OperationToken,
        _ verb: SimulatedOperation.Verb,
        on descriptor: Descriptor,
        memory: SimulatedMemory? = nil,
        isZeroCopy: Bool = false
    ) {
        let socket = kernel.socket(descriptor)
        if socket == nil { kernel.fail(.usedWhileClosed(descriptor)) }
        if verb.isOutput, let socket, socket.operations.contains(where: \.isSending) {
            kernel.fail(.overlappingSends(descriptor))
        }
        prepare(
            SimulatedOperation(
                token,
                verb,
                on: descriptor,
                of: socket,
                driver: self,
                memory: memory,
                isZeroCopy: isZeroCopy
            )
        )
    }

    // MARK: Buffers

    func adopt(_ region: PoolRegion) throws(IOError) {
        buffers.adopt(region)
    }

    var providedBuffersMax: Int { kernel.limits.providedBuffersMax }

    func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        for position in 0..<buffers.count {
            let buffer = unsafe buffers[position]
            if !self.buffers.provide(buffer) {
                kernel.fail("buffer \(buffer.rawValue) was provided while the kernel owns it")
            }
        }
        if self.buffers.ownedCount > providedBuffersMax {
            kernel.fail("more than \(providedBuffersMax) buffers were provided at once")
        }
    }

    func publish() {
        let count = buffers.publish()
        if count > 0 { trace(.buffers, (count, 0, 0)) }
    }
}

extension SimulatedOperation {
    /// It puts bytes on their way, and has not told how many.
    fileprivate var isSending: Bool { verb.isOutput && !hasReported }
}

extension SimulatedOperation.Verb {
    fileprivate var isOutput: Bool {
        switch self {
        case .send, .writeStream: true
        case .accept, .connect, .receive, .discard, .poll, .cancel, .readStream, .receiveMessage,
            .file:
            false
        }
    }
}
