internal import Glibc
import UringEngine

/// What the kernel makes of an operation when it looks at it.
extension SimulatedKernel {
    /// The kernel will look at it: now as a rule, or after a delay.
    func attemptSoon(_ operation: SimulatedOperation) {
        guard !operation.isDue, !operation.isOver else { return }
        operation.isDue = true
        after(delay(), .attempt(operation))
    }

    func attempt(_ operation: SimulatedOperation) {
        operation.isDue = false
        guard !operation.isOver, !operation.hasReported else { return }
        if case .cancel(let target) = operation.verb { return cancel(operation, target) }
        if case .file(let request) = operation.verb { return perform(operation, request) }
        guard let socket = operation.socket else {
            return complete(operation, -EBADF)
        }
        socket.readers.removeAll { $0 === operation }
        socket.writers.removeAll { $0 === operation }
        if let memory = operation.memory, !memory.isUnchanged {
            fail(.changedMemory(operation.token))
        }
        switch operation.verb {
        case .accept(let isMultishot): accept(operation, on: socket, isMultishot: isMultishot)
        case .connect(let address): connect(operation, on: socket, to: address)
        case .receive(let budget, let waitsFirst):
            receive(operation, on: socket, byteBudget: budget, waitsFirst: waitsFirst)
        case .receiveMessage(let room, let waitsFirst):
            receiveMessage(operation, on: socket, into: room, waitsFirst: waitsFirst)
        case .send(let payload): send(operation, on: socket, payload)
        case .discard(let byteCount): discard(operation, on: socket, byteCount)
        case .poll(let events, let isMultishot): poll(operation, on: socket, events, isMultishot)
        case .readStream(let isMultishot):
            readStream(operation, on: socket, isMultishot: isMultishot)
        case .writeStream(let payload): writeStream(operation, on: socket, payload)
        case .file, .cancel: break
        }
    }

    // MARK: Ending one

    /// Makes a completion.
    func complete(
        _ operation: SimulatedOperation,
        _ result: Int32,
        more: Bool = false,
        buffer: BufferID = .none
    ) {
        guard !operation.isOver else { return }
        operation.isOver = !more
        if !more, let memory = operation.memory, !memory.isUnchanged {
            fail(.changedMemory(operation.token))
        }
        if !more, let socket = operation.socket {
            socket.readers.removeAll { $0 === operation }
            socket.writers.removeAll { $0 === operation }
        }
        operation.driver.post(
            Completion(
                token: operation.token,
                result: result,
                isTerminal: !more,
                buffer: buffer
            ),
            of: operation
        )
    }

    /// A failure that only says to ask again.
    func retryFault(_ operation: SimulatedOperation, _ errors: [Int32]) -> Bool {
        guard random.happens(faults.retries) else { return false }
        complete(operation, -random.pick(errors))
        return true
    }

    // MARK: Cancelling

    /// Ends another operation: it may be over, it may win, and its own end may come before or after.
    private func cancel(_ operation: SimulatedOperation, _ token: OperationToken) {
        guard let target = operation.driver.operation(token), !target.isOver, !target.hasReported
        else {
            return complete(operation, -ENOENT)
        }
        target.isCancelled = true
        switch random.below(8) {
        case 0:
            // It runs at this moment: told so, and ended a little later.
            attemptSoon(target)
            after(delay(), .call { [unowned self] in endCancelled(target) })
            complete(operation, -EALREADY)
        case 1, 2:
            complete(operation, 0)
            after(delay(), .call { [unowned self] in endCancelled(target) })
        case 3:
            // Its success was under way.
            attempt(target)
            endCancelled(target)
            complete(operation, 0)
        default:
            endCancelled(target)
            complete(operation, 0)
        }
    }

    private func endCancelled(_ target: SimulatedOperation) {
        guard !target.isOver, !target.hasReported else { return }
        // A send reports what it has sent.
        if case .send = target.verb, target.doneByteCount > 0, let socket = target.socket {
            return completeSend(target, on: socket)
        }
        complete(target, -ECANCELED)
    }

    // MARK: Accept and connect

    private func accept(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        isMultishot: Bool
    ) {
        guard socket.phase == .listening else { return complete(operation, -EINVAL) }
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        while let waiting = socket.queue.first {
            if random.happens(faults.acceptErrors) { return complete(operation, -ECONNABORTED) }
            guard let descriptor = open(waiting) else { return complete(operation, -EMFILE) }
            socket.queue.removeFirst()
            let more =
                isMultishot && operation.driver.capabilities.multishotAccept
                && !random.happens(faults.endedMultishots)
            complete(operation, descriptor.rawValue, more: more)
            if !more { return }
        }
        socket.readers.append(operation)
    }

    private func connect(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        to address: SocketAddress
    ) {
        switch socket.phase {
        case .fresh, .bound:
            startConnect(socket, to: address)
            socket.writers.append(operation)
        case .connecting: socket.writers.append(operation)
        case .connected: complete(operation, 0)
        case .dead:
            let errno = socket.error ?? .connectionReset
            socket.error = nil
            complete(operation, -errno.rawValue)
        case .listening: complete(operation, -EISCONN)
        }
    }

    // MARK: Poll

    private func poll(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        _ wanted: PollEvents,
        _ isMultishot: Bool
    ) {
        var events: PollEvents = []
        if socket.isReadable { events.insert(.readable) }
        let isWritable = socket.isDatagram ? hasRoomToSend(socket) : socket.isWritable
        if isWritable { events.insert(.writable) }
        events.formIntersection(wanted)
        guard events.isEmpty else {
            let more = isMultishot && !random.happens(faults.endedMultishots)
            complete(operation, Int32(events.rawValue), more: more)
            if more { socket.readers.append(operation) }
            return
        }
        if wanted.contains(.readable) { socket.readers.append(operation) }
        if wanted.contains(.writable) { socket.writers.append(operation) }
    }

    // MARK: Receive

    private func receive(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        byteBudget: Int,
        waitsFirst: Bool
    ) {
        if waitsFirst, !operation.hasWaited {
            operation.hasWaited = true
            guard socket.isReadable else { return socket.readers.append(operation) }
            return attemptSoon(operation)
        }
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        while let bytesReady = nextInput(operation, on: socket) {
            guard let buffer = operation.driver.takeBuffer() else {
                return complete(operation, -ENOBUFS)
            }
            let capabilities = operation.driver.capabilities
            var count = min(bytesReady, operation.driver.bufferBytes)
            let hasBudget = capabilities.receiveBudget && byteBudget > 0
            if hasBudget { count = min(count, byteBudget - operation.doneByteCount) }
            if random.happens(faults.shortReads) { count = random.between(1, count) }
            operation.driver.fill(buffer, from: &socket.input, byteCount: count)
            operation.doneByteCount += count
            let isUsedUp = hasBudget && operation.doneByteCount >= byteBudget
            let more =
                capabilities.multishotReceive && !isUsedUp
                && !random.happens(faults.endedMultishots)
            complete(operation, Int32(count), more: more, buffer: buffer)
            inputTaken(from: socket)
            if !more { return }
        }
        // Answered, or it waits.
        if !operation.isOver { socket.readers.append(operation) }
    }

    /// How many bytes a receive can have; nil when it was answered otherwise, or has to wait.
    func nextInput(_ operation: SimulatedOperation, on socket: SimulatedSocket) -> Int? {
        if !socket.input.isEmpty { return socket.input.count }
        if let error = socket.error {
            socket.error = nil
            complete(operation, -error.rawValue)
        } else if socket.hasEnd || socket.isReset || socket.isInputShut {
            // Some kernels pick a buffer for the end of a stream too.
            let buffer = limits.givesBufferForEnd ? operation.driver.takeBuffer() : nil
            complete(operation, 0, buffer: buffer ?? .none)
        } else if socket.phase != .connected {
            complete(operation, -ENOTCONN)
        }
        return nil
    }

    /// There is room again.
    func inputTaken(from socket: SimulatedSocket) {
        guard let peer = socket.peer else { return }
        if socket.isUnix { wakeWriters(of: peer) } else { wantTransmit(peer) }
    }

    private func discard(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        _ byteCount: Int
    ) {
        if socket.isUnix { return complete(operation, -EFAULT) }
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        guard let bytesReady = nextInput(operation, on: socket) else {
            if !operation.isOver { socket.readers.append(operation) }
            return
        }
        _ = socket.input.take(min(bytesReady, byteCount))
        inputTaken(from: socket)
        complete(operation, Int32(min(bytesReady, byteCount)))
    }

    // MARK: Send

    private func send(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        _ payload: SimulatedMemory
    ) {
        if let errno = sendError(socket) {
            let done = operation.doneByteCount
            if done == 0 {
                if socket.error != nil { socket.error = nil }
                return complete(operation, -errno.rawValue)
            }
            return completeSend(operation, on: socket)
        }
        if operation.doneByteCount == 0, retryFault(operation, [EAGAIN, EINTR, ENOBUFS, ENOMEM]) {
            return
        }
        let left = payload.byteCount - operation.doneByteCount
        var count = min(left, socket.room)
        let isShort = count > 0 && random.happens(faults.shortSends)
        if isShort { count = random.between(1, count) }
        if count > 0 {
            let bytes = payload.bytes(from: operation.doneByteCount, countMax: count)
            operation.doneByteCount += count
            push(bytes, from: socket)
        }
        // MSG_WAITALL: the kernel goes on by itself, unless a signal or the like comes between.
        if isShort || operation.doneByteCount == payload.byteCount {
            return completeSend(operation, on: socket)
        }
        socket.writers.append(operation)
    }

    /// Tells what was sent; without a copy the operation goes on until the peer has acknowledged it.
    private func completeSend(_ operation: SimulatedOperation, on socket: SimulatedSocket) {
        let result = Int32(operation.doneByteCount)
        guard operation.isZeroCopy else { return complete(operation, result) }
        operation.hasReported = true
        complete(operation, result, more: true)
        let end = socket.acknowledged &+ UInt64(socket.unacknowledged)
        socket.pinned.append((operation, end))
        letGoOfAcknowledged(by: socket)
    }

    /// Ends sends without a copy whose bytes have arrived, or never will.
    func letGoOfAcknowledged(by socket: SimulatedSocket) {
        let isGone = socket.isReset || socket.phase != .connected
        let over = socket.pinned.filter { isGone || $0.end <= socket.acknowledged }
        socket.pinned.removeAll { isGone || $0.end <= socket.acknowledged }
        for (operation, _) in over {
            after(delay(), .call { [unowned self] in complete(operation, 0) })
        }
    }

    func sendError(_ socket: SimulatedSocket) -> Errno? {
        if socket.isReset { return socket.error ?? .brokenPipe }
        if socket.isOutputShut { return .brokenPipe }
        if socket.phase != .connected { return .notConnected }
        return nil
    }
}
