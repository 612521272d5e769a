package import UringEngine

/// How much of a send a scripted peer takes.
///
/// > Thread: Any thread.
package enum ScriptedSendOutcome: Hashable, Sendable {
    /// Every byte.
    case all
    /// Only the first so many.
    case short(Int)
}

extension ScriptedDriver {
    /// Lets a peer connect: completes the accept in flight on `listener`, and returns the new
    /// descriptor.
    ///
    /// Without `isTerminal` the accept stays armed where it is multishot.
    @discardableResult
    package func acceptConnection(
        on listener: Descriptor,
        from peer: SocketAddress = .ipv4(0x7F00_0001, port: 50_000),
        isTerminal: Bool? = nil
    ) -> Descriptor {
        let token = armed(.accept, on: listener).token
        let local = descriptors.openDescriptor(listener)?.localAddress
        let descriptor = makeConnection(from: peer, to: local ?? .ipv4(0x7F00_0001, port: 7_000))
        complete(
            token,
            result: descriptor.rawValue,
            isTerminal: isTerminal ?? !capabilities.multishotAccept
        )
        return descriptor
    }

    /// Lets the peer send bytes: delivers to the receive in flight on `descriptor`, and returns the
    /// buffer.
    @discardableResult
    package func deliver(
        _ bytes: [UInt8],
        on descriptor: Descriptor,
        isTerminal: Bool? = nil
    ) -> BufferID {
        deliver(bytes, to: armed(.receive, on: descriptor).token, isTerminal: isTerminal)
    }

    /// The same where a pipe is read.
    @discardableResult
    package func deliverStream(
        _ bytes: [UInt8],
        on descriptor: Descriptor,
        isTerminal: Bool? = nil
    ) -> BufferID {
        deliver(bytes, to: armed(.readStream, on: descriptor).token, isTerminal: isTerminal)
    }

    /// Lets the oldest operation of this kind in flight on `descriptor` end with a result.
    package func end(_ kind: OperationKind, on descriptor: Descriptor, result: Int32) {
        complete(armed(kind, on: descriptor).token, result: result)
    }

    /// Lets the peer end its side: the receive in flight on `descriptor` ends with a result of
    /// zero.
    package func endStream(on descriptor: Descriptor) {
        complete(armed(.receive, on: descriptor).token, result: 0)
    }

    /// Lets the send in flight on `descriptor` end, with all its bytes or with fewer.
    package func completeSend(on descriptor: Descriptor, _ outcome: ScriptedSendOutcome = .all) {
        let operation = armed(.send, on: descriptor)
        switch outcome {
        case .all:
            let left = operation.verb.bytes.count - operation.sentByteCount
            complete(operation.token, result: Int32(left))
        case .short(let byteCount):
            precondition(
                byteCount < operation.verb.bytes.count,
                "a short send leaves at least one byte"
            )
            complete(operation.token, result: Int32(byteCount))
        }
    }

    /// Lets the kernel tell what a send without a copy has sent; it still reads the bytes.
    ///
    /// - Returns: the send, for `complete` when it no longer does.
    package func takeSend(on descriptor: Descriptor, byteCount: Int? = nil) -> OperationToken {
        let waiting = operationTable.unfinishedTokens(on: descriptor).first {
            $0.kind == .send && operationTable[$0]?.results.isEmpty ?? false
        }
        guard let waiting, let operation = operationTable[waiting] else {
            preconditionFailure("no send on fd \(descriptor.rawValue) waits for its result")
        }
        let count = byteCount ?? operation.verb.bytes.count
        complete(waiting, result: Int32(count), isTerminal: false, buffersReleased: false)
        return waiting
    }

    /// Lets the oldest operation of this kind in flight on `descriptor` fail for good.
    package func fail(_ kind: OperationKind, on descriptor: Descriptor, with errno: Errno) {
        fail(armed(kind, on: descriptor).token, with: errno)
    }

    /// The oldest operation that the kernel has.
    ///
    /// Precondition: there is one.
    func armed(_ kind: OperationKind, on descriptor: Descriptor) -> ScriptedOperation {
        for token in operationTable.unfinishedTokens(on: descriptor) where token.kind == kind {
            guard let operation = operationTable[token], operation.state == .handedOver else {
                continue
            }
            return operation
        }
        preconditionFailure(
            "no \(kind) on fd \(descriptor.rawValue) was handed over and is still in flight"
        )
    }
}
