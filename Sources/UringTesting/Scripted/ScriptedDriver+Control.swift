package import UringEngine

extension ScriptedDriver {
    /// Hands out a number, a new one unless `reusesDescriptorNumbers` is on.
    package func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        try throwFailure(of: .openSocket)
        let descriptor = descriptors.add(ScriptedDescriptor(state: .open))
        journal.append(.openedSocket(descriptor, for: address))
        return descriptor
    }

    /// Binds a socket; a port of zero becomes a free one, a Unix path a file.
    package func bind(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError) {
        let value = try check(descriptor, for: .bind)
        guard value.state == .open else { throw refuse(.bind, descriptor, .invalid) }
        try makeFile(of: descriptor, value, at: address)
        let resolved = descriptors.resolved(address)
        descriptors.update(descriptor) { value in
            value.state = .bound
            value.localAddress = resolved
        }
        journal.append(.bound(descriptor, to: resolved))
    }

    /// Makes a socket a listener; it need not be bound.
    package func listen(on descriptor: Descriptor, backlog: Int) throws(IOError) {
        let value = try check(descriptor, for: .listen)
        guard value.state != .connected else { throw refuse(.listen, descriptor, .invalid) }
        descriptors.update(descriptor) { $0.state = .listening }
        journal.append(.listened(descriptor, backlog: backlog))
    }

    /// Records an option.
    package func setOption(_ option: SocketOption, on descriptor: Descriptor) throws(IOError) {
        _ = try check(descriptor, for: .setOption)
        descriptors.update(descriptor) { $0.options.append(option) }
        journal.append(.optionSet(descriptor, option))
    }

    /// What was set last; ENOPROTOOPT for an option that nobody set.
    package func option(
        _ key: SocketOption.Key,
        of descriptor: Descriptor
    ) throws(IOError) -> SocketOption {
        let value = try check(descriptor, for: .setOption)
        guard let option = value.options.last(where: { $0.key == key }) else {
            throw IOError(.readOption, descriptor: descriptor, errno: .noSuchOption)
        }
        return option
    }

    /// The socket's own address; `0.0.0.0:0` before it has one.
    package func localAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try check(descriptor, for: .localAddress).localAddress ?? .ipv4(0, port: 0)
    }

    /// The peer's address; ENOTCONN before there is one.
    package func peerAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        let value = try check(descriptor, for: .peerAddress)
        guard let address = value.peerAddress else {
            throw refuse(.peerAddress, descriptor, .notConnected)
        }
        return address
    }

    /// Records the direction.
    ///
    /// Operations in flight are not answered by it: the test scripts what they see.
    package func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno? {
        do throws(IOError) {
            let value = try check(descriptor, for: .shutdown)
            guard value.state == .connected || value.state == .listening else {
                throw refuse(.shutdown, descriptor, .notConnected)
            }
        } catch {
            return error.errno
        }
        descriptors.update(descriptor) { value in
            value.shutDown = value.shutDown == .both ? .both : direction
        }
        journal.append(.shutDown(descriptor, direction))
        return nil
    }

    /// Records the end of a connection.
    package func disconnect(_ descriptor: Descriptor) {
        if descriptors.openDescriptor(descriptor) == nil { report(.usedWhileClosed(descriptor)) }
        journal.append(.disconnected(descriptor))
    }

    /// What `setOutputState` chose; without a choice, all that was reported as sent is
    /// acknowledged.
    package func outputState(of descriptor: Descriptor) -> OutputState {
        guard let value = descriptors.openDescriptor(descriptor) else {
            report(.usedWhileClosed(descriptor))
            return OutputState(unacknowledgedBytes: nil, acknowledgedBytes: nil)
        }
        if let chosen = value.outputState { return chosen }
        let sent = operations(of: .send, on: descriptor).reduce(0) { $0 + $1.sentByteCount }
        return OutputState(unacknowledgedBytes: 0, acknowledgedBytes: UInt64(sent))
    }

    /// Closes a number; a violation while the loop has a terminal completion on it to read.
    package func close(_ descriptor: Descriptor) {
        guard descriptors.openDescriptor(descriptor) != nil else {
            return report(.usedWhileClosed(descriptor))
        }
        let tokens = operationTable.unfinishedTokens(on: descriptor)
        if !tokens.isEmpty { report(.closedInFlight(descriptor, tokens)) }
        markClosed(descriptor)
    }

    /// Ends what is left; with `answersCancels` off, operations stay with the kernel and the grace
    /// passes.
    ///
    /// Unread completions are the driver's to clean up: their connections are closed, as a real
    /// driver does.
    package func shutDown(graceNanoseconds: UInt64) -> Int {
        precondition(!hasEnded, "a driver is shut down once")
        hasEnded = true
        for completion in unread where completion.token.kind?.returnsDescriptor ?? false {
            let descriptor = Descriptor(rawValue: completion.result)
            if descriptors.openDescriptor(descriptor) != nil { markClosed(descriptor) }
        }
        unread.removeAll()
        let stuckCount = operationTable.endAll(answersCancels: answersCancels)
        if stuckCount > 0 { clockNanoseconds += graceNanoseconds } else { buffers.releaseAll() }
        journal.append(.ended(stuckOperations: stuckCount))
        return stuckCount
    }

    /// Tells nothing.
    package func incomingCPU(of descriptor: Descriptor) -> Int? { nil }

    // MARK: How it is done

    func markClosed(_ descriptor: Descriptor) {
        descriptors.update(descriptor) { $0.state = .closed }
        journal.append(.closed(descriptor))
    }

    /// The descriptor's state, once the script lets the call through and the number is open.
    func check(
        _ descriptor: Descriptor,
        for call: ScriptedCall
    ) throws(IOError) -> ScriptedDescriptor {
        try throwFailure(of: call, on: descriptor)
        guard let value = descriptors.openDescriptor(descriptor) else {
            report(.usedWhileClosed(descriptor))
            throw refuse(call, descriptor, .badDescriptor)
        }
        return value
    }

    func throwFailure(of call: ScriptedCall, on descriptor: Descriptor? = nil) throws(IOError) {
        guard let errno = takeFailure(of: call) else { return }
        throw refuse(call, descriptor, errno)
    }

    func refuse(_ call: ScriptedCall, _ descriptor: Descriptor?, _ errno: Errno) -> IOError {
        journal.append(.refused(call, errno))
        return IOError(call.operation, descriptor: descriptor, errno: errno)
    }
}
