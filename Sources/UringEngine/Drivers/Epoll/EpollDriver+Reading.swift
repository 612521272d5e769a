internal import CUring
internal import Glibc

/// The calls of those who wait for something to read.
// Safety: slots keep their addresses; a buffer is the driver's until its completion hands it over.
extension EpollDriver {
    /// What one descriptor may receive in a turn: a peer that always has more keeps no other waiting.
    private static let receivesPerTurnMax = 16
    private static let bytesPerTurnMax = 65_536
    private static let acceptsPerTurnMax = 64

    /// Whether a descriptor that was readable may be so still.
    enum ReadOutcome {
        /// The operation is over; the next in the list goes on.
        case ended
        /// It has had its share of this turn.
        case yielded
        /// There is nothing to read until the set reports it.
        case drained
    }

    /// Lets the operations that wait to read go on, as far as there is something to read.
    func runReaders(_ slot: SlotIndex, _ known: UnsafeMutablePointer<WatchedDescriptor>) {
        while case let reader = unsafe known.pointee.readers, reader != .none {
            switch unsafe read(operations.address(of: reader), known) {
            case .ended: break
            case .yielded: return ready.append(slot, in: descriptors)
            case .drained: return unsafe known.pointee.state.subtract(.readable)
            }
        }
    }

    @inline(__always)
    private func read(
        _ operation: UnsafeMutablePointer<WaitingOperation>,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) -> ReadOutcome {
        let token = unsafe operation.pointee.token
        if token.hasKind(.receive) { return unsafe receive(operation, known) }
        if token.hasKind(.receiveMessage) { return unsafe receiveMessages(operation, known) }
        if token.hasKind(.readStream) { return unsafe readStream(operation) }
        return token.hasKind(.accept)
            ? unsafe accept(operation) : unsafe discard(operation, known)
    }

    @inline(__always)
    private func receive(
        _ operation: UnsafeMutablePointer<WaitingOperation>,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) -> ReadOutcome {
        let (token, descriptor) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        var receivesLeft = Self.receivesPerTurnMax
        var bytesLeft = Self.bytesPerTurnMax
        while receivesLeft > 0, bytesLeft > 0 {
            guard let (buffer, address) = unsafe supply.next else {
                return end(token, -Errno.noBuffers.rawValue, .ended)
            }
            let room = supply.bufferBytes
            let count = unsafe cu_receive(descriptor.rawValue, address, room, 0)
            guard count > 0 else {
                guard let outcome = endOfInput(token, count) else { continue }
                return outcome
            }
            let isOver = unsafe handOver(buffer, byteCount: count, of: operation)
            // Less than asked for was all that a stream had (epoll(7), question 9), unless its end was
            // reported together with it: of that no further report comes.
            if count < room, unsafe !known.pointee.state.contains(.ended) { return .drained }
            if isOver { return .ended }
            receivesLeft &-= 1
            bytesLeft &-= count
        }
        return .yielded
    }

    /// Completes an operation with bytes that came into a buffer.
    ///
    /// - Returns: its budget is used up, and it is over.
    @inline(__always)
    private func handOver(
        _ buffer: BufferID,
        byteCount: Int,
        of operation: UnsafeMutablePointer<WaitingOperation>
    ) -> Bool {
        let token = unsafe operation.pointee.token
        supply.takeNext()
        unsafe operation.pointee.byteCount &-= byteCount
        let isOver = unsafe operation.pointee.byteCount <= 0
        if isOver { release(token) }
        completions.append(
            Completion(
                token: token,
                result: Int32(truncatingIfNeeded: byteCount),
                isTerminal: isOver,
                buffer: buffer
            )
        )
        return isOver
    }

    private func discard(
        _ operation: UnsafeMutablePointer<WaitingOperation>,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) -> ReadOutcome {
        let (token, descriptor) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        let wanted = unsafe operation.pointee.byteCount
        while true {
            let count = cu_receive(descriptor.rawValue, nil, wanted, Int32(MSG_TRUNC))
            guard count > 0 else {
                guard let outcome = endOfInput(token, count) else { continue }
                return outcome
            }
            end(token, Int32(truncatingIfNeeded: count))
            let isLast = unsafe count < wanted && !known.pointee.state.contains(.ended)
            return isLast ? .drained : .ended
        }
    }

    private func accept(_ operation: UnsafeMutablePointer<WaitingOperation>) -> ReadOutcome {
        let (token, listener) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        for _ in 0..<Self.acceptsPerTurnMax {
            let result = cu_accept(listener.rawValue)
            guard result >= 0 else {
                guard let outcome = endOfInput(token, Int(result)) else { continue }
                return outcome
            }
            // Whatever was known of the number was about a descriptor that was closed elsewhere.
            forget(Descriptor(rawValue: result))
            guard unsafe operation.pointee.isMultishot else { return end(token, result, .ended) }
            complete(token, result, isTerminal: false)
        }
        return .yielded
    }

    /// Reads until the kernel says that there is nothing more: a terminal hands over one line a call,
    /// however many it has.
    private func readStream(_ operation: UnsafeMutablePointer<WaitingOperation>) -> ReadOutcome {
        let (token, descriptor) = unsafe (operation.pointee.token, operation.pointee.descriptor)
        var bytesLeft = Self.bytesPerTurnMax
        for _ in 0..<Self.receivesPerTurnMax where bytesLeft > 0 {
            guard let (buffer, address) = unsafe supply.next else {
                return end(token, -Errno.noBuffers.rawValue, .ended)
            }
            let count = unsafe cu_read(descriptor.rawValue, address, supply.bufferBytes)
            guard count > 0 else {
                guard let outcome = endOfInput(token, count) else { continue }
                return outcome
            }
            let isOver = unsafe handOver(buffer, byteCount: count, of: operation)
            if isOver { return .ended }
            bytesLeft &-= count
        }
        return .yielded
    }

    /// What a read of nothing means; nil: it is to be made again.
    @inline(never)
    func endOfInput(_ token: OperationToken, _ result: Int) -> ReadOutcome? {
        switch result < 0 ? Errno(result: Int32(truncatingIfNeeded: result)) : nil {
        case .some(.again): return .drained
        case .some(.interrupted): return nil
        case nil, .some: return end(token, Int32(truncatingIfNeeded: result), .ended)
        }
    }

    func end(
        _ token: OperationToken,
        _ result: Int32,
        _ outcome: ReadOutcome
    ) -> ReadOutcome {
        end(token, result)
        return outcome
    }
}
