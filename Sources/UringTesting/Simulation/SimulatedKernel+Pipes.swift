internal import Glibc
import UringEngine

/// Pipes: two ends of which one writes, joined as a Unix stream is.
extension SimulatedKernel {
    /// Makes one; nil without room for two descriptors.
    func makePipe() -> (reader: Descriptor, writer: Descriptor)? {
        let (reading, writing) = (makeSocket(isUnix: true), makeSocket(isUnix: true))
        join(reading, writing)
        for end in [reading, writing] { end.isPipe = true }
        reading.isOutputShut = true
        writing.isInputShut = true
        guard let reader = open(reading) else { return giveUp(reading, writing) }
        guard let writer = open(writing) else {
            free(reader)
            return giveUp(reading, writing)
        }
        return (reader, writer)
    }

    private func giveUp(
        _ reading: SimulatedSocket,
        _ writing: SimulatedSocket
    ) -> (reader: Descriptor, writer: Descriptor)? {
        release(reading)
        release(writing)
        return nil
    }

    /// As a receive without a budget.
    func readStream(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        isMultishot: Bool
    ) {
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        let staysArmed = isMultishot && operation.driver.capabilities.multishotRead
        while let bytesReady = nextInput(operation, on: socket) {
            guard let buffer = operation.driver.takeBuffer() else {
                return complete(operation, -ENOBUFS)
            }
            var count = min(bytesReady, operation.driver.bufferBytes)
            if random.happens(faults.shortReads) { count = random.between(1, count) }
            operation.driver.fill(buffer, from: &socket.input, byteCount: count)
            operation.doneByteCount += count
            let more = staysArmed && !random.happens(faults.endedMultishots)
            complete(operation, Int32(count), more: more, buffer: buffer)
            inputTaken(from: socket)
            if !more { return }
        }
        if !operation.isOver { socket.readers.append(operation) }
    }

    /// Takes what there is room for, and does not wait for more: a pipe's write is short.
    func writeStream(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        _ payload: SimulatedMemory
    ) {
        if let errno = sendError(socket) { return complete(operation, -errno.rawValue) }
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        var count = min(payload.byteCount, socket.room)
        guard count > 0 else { return socket.writers.append(operation) }
        if random.happens(faults.shortSends) { count = random.between(1, count) }
        push(payload.bytes(from: 0, countMax: count), from: socket)
        complete(operation, Int32(count))
    }
}
