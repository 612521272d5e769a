package import CUring
package import UringEngine

// Safety: memory that an operation points to is the caller's and stays valid until the terminal
// completion (see KernelDriver); it is passed on as it came.
extension FaultDriver {
    /// Takes connections.
    package func accept(_ token: OperationToken, on listener: Descriptor, isMultishot: Bool) {
        if isFailed(token, .accept) { return }
        base.accept(token, on: listener, isMultishot: isMultishot)
    }

    /// Connects a socket.
    package func connect(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) {
        if isFailed(token, .connect) { return }
        unsafe base.connect(token, on: descriptor, to: address)
    }

    /// Connects a socket, which the kernel ends at its deadline.
    package func connectInTime(
        _ token: OperationToken,
        on descriptor: Descriptor,
        to address: UnsafePointer<cu_address>
    ) -> Bool {
        if isFailed(token, .connect) { return true }
        return unsafe base.connectInTime(token, on: descriptor, to: address)
    }

    /// Receives into pool buffers.
    package func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        if isFailed(token, .receive) { return }
        base.receive(
            token,
            from: descriptor,
            byteBudget: byteBudget,
            waitForReadiness: waitForReadiness
        )
    }

    /// Sends one run of bytes.
    package func send(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        if isFailed(token, .send) { return }
        unsafe base.send(token, on: descriptor, bytes: bytes)
    }

    /// Sends one run of bytes without a copy; it fails where a send does.
    package func sendZeroCopy(
        _ token: OperationToken,
        on descriptor: Descriptor,
        bytes: UnsafeRawBufferPointer
    ) {
        if isFailed(token, .send) { return }
        unsafe base.sendZeroCopy(token, on: descriptor, bytes: bytes)
    }

    /// Sends a message of several runs.
    package func sendMessage(
        _ token: OperationToken,
        on descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>
    ) {
        if isFailed(token, .sendMessage) { return }
        unsafe base.sendMessage(token, on: descriptor, message: message)
    }

    /// Receives datagrams into pool buffers.
    package func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    ) {
        if isFailed(token, .receiveMessage) { return }
        unsafe base.receiveMessage(
            token,
            from: descriptor,
            message: message,
            waitForReadiness: waitForReadiness
        )
    }

    /// Sends one datagram at once, or not at all.
    package func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        if let fault = plan.decide(.trySend) { return -fault.errno.rawValue }
        return base.trySend(datagram, on: descriptor)
    }

    /// Drops received bytes.
    package func discard(_ token: OperationToken, from descriptor: Descriptor, byteCount: Int) {
        if isFailed(token, .discard) { return }
        base.discard(token, from: descriptor, byteCount: byteCount)
    }

    /// Reports readiness.
    package func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    ) {
        if isFailed(token, .poll) { return }
        base.poll(token, on: descriptor, events: events, isMultishot: isMultishot)
    }

    /// Asks something of a file or a path.
    ///
    /// What the driver in it does not do is done elsewhere, where no result can be lost: it fails
    /// beforehand or not at all.
    package func perform(_ token: OperationToken, _ request: FileRequest) -> Bool {
        if isFailed(token, FaultSite(request)) { return true }
        if base.perform(token, request) { return true }
        doomed[token] = nil
        return false
    }

    /// Asks for the end of an operation; that it does, whatever it answers.
    package func cancel(_ token: OperationToken, target: OperationToken) {
        if isFailed(token, .cancel) { return }
        base.cancel(token, target: target)
    }

    /// Lets an operation fail, if it is its turn.
    ///
    /// - Returns: it failed already; otherwise it goes to the kernel, whatever comes of it.
    func isFailed(_ token: OperationToken, _ site: FaultSite) -> Bool {
        guard let fault = plan.decide(site) else { return false }
        guard moment(of: fault, at: site) == .beforehand else {
            doomed[token] = DoomedOperation(errno: fault.errno)
            return false
        }
        complete(token, with: fault.errno)
        return true
    }

    private func moment(of fault: Fault, at site: FaultSite) -> Fault.Moment {
        switch site {
        case .cancel: .afterwards  // A target that never ends is no kernel's doing.
        // A descriptor that nobody closes is no kernel's doing either.
        case .closeFile: .afterwards
        // What only says "ask again" has written nothing.
        case .writeFile: fault.errno.asksAgain ? .beforehand : fault.moment
        case .send, .sendMessage, .writeStream: fault.errno.asksAgain ? .beforehand : fault.moment
        default: fault.moment
        }
    }

    private func complete(_ token: OperationToken, with errno: Errno) {
        let result = -errno.rawValue
        if completesThroughRing, let ring = base as? UringDriver,
            ring.completeWithNothingDone(token, result: result)
        {
            return
        }
        prepared.append(Completion(token: token, result: result))
    }
}

extension FaultSite {
    fileprivate init(_ request: FileRequest) {
        self =
            switch request {
            case .open: .openFile
            case .read: .readFile
            case .write: .writeFile
            case .sync, .allocate, .truncate: .changeFile
            case .status: .inspectPath
            case .rename, .remove, .makeDirectory, .list: .changeNames
            case .close: .closeFile
            }
    }
}

extension Errno {
    /// Nothing was transferred, and the same may work at once or soon.
    var asksAgain: Bool {
        switch self {
        case .again, .interrupted, .cancelled, .noBuffers, .noMemory: true
        default: false
        }
    }
}
