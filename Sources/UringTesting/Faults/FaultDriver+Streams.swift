package import UringEngine

/// Pipes and terminals.
// Safety: memory that an operation is given is the caller's until the terminal completion; it is
// passed on as it came.
extension FaultDriver {
    /// Reads a pipe or a terminal.
    package func readStream(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        isMultishot: Bool
    ) {
        if isFailed(token, .readStream) { return }
        base.readStream(
            token,
            from: descriptor,
            byteBudget: byteBudget,
            isMultishot: isMultishot
        )
    }

    /// Writes to a pipe or a terminal.
    package func writeStream(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        if isFailed(token, .writeStream) { return }
        unsafe base.writeStream(token, on: descriptor, bytes: bytes)
    }

    /// As the driver in it says.
    package func turnDescriptor() throws(IOError) -> Descriptor? { try base.turnDescriptor() }

    /// As the driver in it does.
    package func beginTurn() {
        base.beginTurn()
    }

    /// Its own completions are announced by nobody.
    package var needsAnotherTurn: Bool { !ready.isEmpty || base.needsAnotherTurn }

    /// Makes a pipe.
    package func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd) {
        try check(.openPipe)
        return try base.openPipe()
    }

    /// Takes a descriptor in.
    package func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        try check(.takeEnd, on: descriptor)
        return try base.takeEnd(of: descriptor, ownership)
    }

    /// Ends what was borrowed.
    package func giveBack(_ borrowed: Descriptor) {
        base.giveBack(borrowed)
    }

    /// Whether readiness can be waited for.
    package func checkPollable(_ descriptor: Descriptor) throws(IOError) {
        try check(.checkPollable, on: descriptor)
        try base.checkPollable(descriptor)
    }
}
