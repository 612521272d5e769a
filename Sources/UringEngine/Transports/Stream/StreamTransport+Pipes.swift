internal import Glibc

/// Pipes, terminals and the like: read(2) and write(2) in place of what sockets have.
extension StreamTransport {
    /// Bytes can come in; false for the writing end of a pipe.
    public var isReadable: Bool { !condition.contains(.outputOnly) }

    /// Bytes can go out; false for the reading end of a pipe, whose `write` queues nothing.
    public var isWritable: Bool { !condition.contains(.inputOnly) }

    /// It is no socket.
    package var isPiped: Bool { condition.contains(.piped) }

    /// Makes it run on a pipe's end, before it starts.
    func run(on end: StreamEnd) {
        condition.insert(.piped)
        if !end.isWritable { condition.insert(.inputOnly) }
        if !end.isReadable { condition.insert(.outputOnly) }
        isPipe = end.isPipe
        borrowed = end.borrowed
    }

    /// The descriptor is closed; whoever shares its open file description has it as it was.
    func giveBack() {
        guard let borrowed else { return }
        self.borrowed = nil
        loop.driver.base.giveBack(borrowed)
    }

    // MARK: Reading

    /// Arms the read; after EAGAIN a poll first, since asking again at once would spin.
    func submitRead(byteBudget: Int, waitForReadiness: Bool) {
        let token = loop.begin(waitForReadiness ? .poll : .readStream, on: slot)
        receiveToken = token
        guard !waitForReadiness else {
            return loop.driver.base.poll(
                token,
                on: descriptor,
                events: .readable,
                isMultishot: false
            )
        }
        loop.driver.base.readStream(
            token,
            from: descriptor,
            byteBudget: byteBudget,
            isMultishot: isPipe
        )
    }

    /// Takes in what a read, a write or a poll reports.
    func pipeCompleted(_ completion: Completion) {
        if completion.isOf(.readStream) { return received(ended(completion)) }
        if completion.isOf(.writeStream) { return sent(completion) }
        guard completion.isOf(.poll) else { return }
        if completion.token == receiveToken {
            inputReady(completion)
        } else {
            roomReady(completion)
        }
    }

    /// A terminal whose other side hung up says EIO where a pipe ends (tty_ioctl(4), ptmx).
    private func ended(_ completion: Completion) -> Completion {
        guard !isPipe, completion.result == -EIO else { return completion }
        return Completion(token: completion.token, result: 0, buffer: completion.buffer)
    }

    private func inputReady(_ completion: Completion) {
        receiveToken = nil
        isReceiveCancelled = false
        guard !failed(completion, .receive) else { return }
        armReceive(waitForReadiness: false)
    }

    /// A poll that cannot be made ends the stream: nothing else would tell when it can go on.
    private func failed(_ completion: Completion, _ operation: IOError.Operation) -> Bool {
        switch completion.errno {
        case nil, .some(.cancelled), .some(.again), .some(.interrupted): return false
        case .some(let errno):
            end(IOError(operation, descriptor: descriptor, errno: errno))
            return true
        }
    }

    // MARK: Writing

    /// Writes the first block; the rest follows when the kernel has taken it, short writes included.
    // Safety: the block stays in the queue, unchanged, until the write's terminal completion.
    func submitWrite() {
        guard let bytes = unsafe writes.beginSendOfFirstBlock() else { return }
        let token = loop.begin(.writeStream, on: slot)
        sendToken = token
        unsafe loop.driver.base.writeStream(token, on: descriptor, bytes: bytes)
    }

    /// Waits for room, where the kernel's write does not (a terminal; a pipe before Linux 6.4).
    func awaitRoom() {
        condition.insert(.sendPaused)
        let token = loop.begin(.poll, on: slot)
        sendToken = token
        loop.driver.base.poll(token, on: descriptor, events: .writable, isMultishot: false)
    }

    private func roomReady(_ completion: Completion) {
        condition.remove(.sendPaused)
        guard phase != .ending, !failed(completion, .send) else { return }
        loop.markDirty(self)
    }

    /// The last byte was handed over: an end that only writes is over with it.
    func outputEnded() {
        if !isReadable { close() }
    }
}
