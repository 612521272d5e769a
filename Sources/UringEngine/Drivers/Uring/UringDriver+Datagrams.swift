package import CUring

// Safety: as in UringDriver+Operations: what an entry points to is the caller's until the terminal
// completion.
extension UringDriver {
    /// Receives datagrams into buffers that the kernel picks, or the driver where it must.
    package func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    ) {
        guard messageMode != .emulated else {
            let request = unsafe EmulatedReceive.Request(
                descriptor: descriptor,
                byteBudget: 0,
                message: message
            )
            return receiveEmulated(token, request)
        }
        unsafe cu_prepare_receive_message(
            nextEntry(),
            descriptor.rawValue,
            message,
            ProvidedBuffers.group,
            messageMode == .multishot,
            waitForReadiness,
            token.rawValue
        )
    }

    /// Sends one datagram at once, past the ring: an entry and its completion cost more than the call.
    @inline(__always)
    package func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        datagram.send(on: descriptor)
    }
}
