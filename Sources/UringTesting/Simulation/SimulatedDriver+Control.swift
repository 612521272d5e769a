internal import CUring
import UringEngine

/// The verbs that answer at once.
extension SimulatedDriver {
    func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let isUnix = StreamKind(address) == .unix
        let socket = kernel.makeSocket(isUnix: isUnix)
        guard let descriptor = kernel.open(socket) else {
            kernel.release(socket)
            throw IOError(.openSocket, errno: .tooManyFiles, detail: "\(address)")
        }
        trace(.control, (Int(descriptor.rawValue), socket.number, 0), "socket")
        return descriptor
    }

    func bind(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError) {
        let socket = try held(descriptor, .bind)
        guard socket.phase == .fresh else {
            throw IOError(.bind, descriptor: descriptor, errno: .invalid)
        }
        let wanted = address.port == 0 ? address.with(port: kernel.givePort()) : address
        guard !kernel.isTaken(wanted, for: socket) else {
            throw IOError(
                .bind,
                descriptor: descriptor,
                errno: .addressInUse,
                detail: "\(address)"
            )
        }
        if wanted.unixPath != nil { kernel.files.add(at: wanted, of: socket) }
        socket.local = wanted
        socket.phase = .bound
        trace(.control, (Int(descriptor.rawValue), Int(wanted.port ?? 0), 0), "bind")
    }

    func listen(on descriptor: Descriptor, backlog: Int) throws(IOError) {
        let socket = try held(descriptor, .listen)
        guard socket.phase == .bound || socket.phase == .listening else {
            throw IOError(.listen, descriptor: descriptor, errno: .invalid)
        }
        socket.phase = .listening
        socket.backlog = backlog
        trace(.control, (Int(descriptor.rawValue), backlog, 0), "listen")
    }

    func setOption(_ option: SocketOption, on descriptor: Descriptor) throws(IOError) {
        let socket = try held(descriptor, .setOption)
        try option.check()
        if let key = option.key { socket.options[key] = option }
        switch option {
        case .reusePort(let isOn): socket.sharesPort = isOn
        case .resetOnClose: socket.resetsOnClose = true
        case .sendBufferBytes(let count): socket.outputCapacity = max(1, count)
        case .receiveBufferBytes(let count): socket.inputCapacity = max(1, count)
        case .reuseAddress, .noDelay, .onlyIPv6, .keepAlive, .keepAliveIdle, .keepAliveInterval,
            .keepAliveCount, .userTimeout, .quickAck, .fastOpenConnect, .fastOpenQueue,
            .trafficClass, .priority, .device, .datagram:
            break
        }
    }

    /// What was set last; ENOPROTOOPT for an option that nobody set.
    func option(_ key: SocketOption.Key, of descriptor: Descriptor) throws(IOError) -> SocketOption
    {
        guard let option = try held(descriptor, .readOption).options[key] else {
            throw IOError(.readOption, descriptor: descriptor, errno: .noSuchOption)
        }
        return option
    }

    func localAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try held(descriptor, .bind).local ?? .ipv4(0, port: 0)
    }

    func peerAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        let socket = try held(descriptor, .connect)
        guard socket.phase == .connected, let remote = socket.remote else {
            throw IOError(.connect, descriptor: descriptor, errno: .notConnected)
        }
        return remote
    }

    func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno? {
        guard let socket = kernel.socket(descriptor) else {
            kernel.fail(.usedWhileClosed(descriptor))
            return .badDescriptor
        }
        trace(.control, (Int(descriptor.rawValue), direction == .both ? 2 : 1, 0), "shutdown")
        guard socket.phase == .connected, !socket.isReset else { return .notConnected }
        kernel.shutDown(socket, direction)
        return nil
    }

    func disconnect(_ descriptor: Descriptor) {
        guard let socket = kernel.socket(descriptor) else {
            return kernel.fail(.usedWhileClosed(descriptor))
        }
        trace(.control, (Int(descriptor.rawValue), 0, 0), "disconnect")
        guard socket.phase == .connected, !socket.isReset else { return }
        kernel.reset(socket, telling: socket.peer)
        kernel.wakeReaders(of: socket)
        kernel.wakeWriters(of: socket)
    }

    func outputState(of descriptor: Descriptor) -> OutputState {
        guard let socket = kernel.socket(descriptor) else {
            kernel.fail(.usedWhileClosed(descriptor))
            return OutputState(unacknowledgedBytes: nil, acknowledgedBytes: nil)
        }
        guard socket.isUnix else {
            return OutputState(
                unacknowledgedBytes: socket.unacknowledged,
                acknowledgedBytes: socket.acknowledged
            )
        }
        let unread = socket.peer?.input.count ?? 0
        return OutputState(unacknowledgedBytes: unread, acknowledgedBytes: nil)
    }

    func incomingCPU(of descriptor: Descriptor) -> Int? { nil }

    func close(_ descriptor: Descriptor) {
        if let file = kernel.fileSystem[descriptor] {
            trace(.control, (Int(descriptor.rawValue), 0, 0), "close")
            if !file.operations.isEmpty {
                kernel.fail(.closedInFlight(descriptor, file.operations.map(\.token)))
            }
            return kernel.fileSystem.close(descriptor)
        }
        guard let socket = kernel.socket(descriptor) else {
            return kernel.fail(.usedWhileClosed(descriptor))
        }
        trace(.control, (Int(descriptor.rawValue), socket.number, 0), "close")
        if !socket.operations.isEmpty {
            kernel.fail(.closedInFlight(descriptor, socket.operations.map(\.token)))
        }
        kernel.free(descriptor)
        kernel.release(socket)
    }

    /// The socket of an open number.
    private func held(
        _ descriptor: Descriptor,
        _ operation: IOError.Operation
    ) throws(IOError) -> SimulatedSocket {
        if let socket = kernel.socket(descriptor) { return socket }
        kernel.fail(.usedWhileClosed(descriptor))
        throw IOError(operation, descriptor: descriptor, errno: .badDescriptor)
    }

    // MARK: Unix sockets

    func connectAtOnce(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError) {
        let socket = try held(descriptor, .connect)
        let failure =
            socket.isDatagram
            ? connectDatagram(socket, to: address) : kernel.connectAtOnce(socket, to: address)
        trace(.control, (Int(descriptor.rawValue), Int(failure?.rawValue ?? 0), 0), "connect")
        guard let failure else { return }
        throw IOError(.connect, descriptor: descriptor, errno: failure, detail: "\(address)")
    }

    func setPermissions(
        _ permissions: FilePermissions,
        of descriptor: Descriptor
    ) throws(IOError) {
        try held(descriptor, .setPermissions).permissions = permissions
    }

    func setPermissions(
        _ permissions: FilePermissions,
        of file: FileIdentity,
        at address: SocketAddress
    ) throws(IOError) {
        guard kernel.files[address]?.status.identity == file else {
            throw IOError(.setPermissions, errno: .notFound, detail: "\(address)")
        }
        kernel.files.setPermissions(permissions, at: address)
    }

    func fileStatus(at address: SocketAddress) throws(IOError) -> FileStatus? {
        kernel.files[address]?.status
    }

    func isBound(_ address: SocketAddress) throws(IOError) -> Bool {
        kernel.files[address]?.owner.isHeld ?? false
    }

    func unlink(_ address: SocketAddress) throws(IOError) {
        guard kernel.files[address] != nil else {
            throw IOError(.removeFile, errno: .notFound, detail: "\(address)")
        }
        kernel.files.remove(address)
    }
}

extension SimulatedKernel {
    /// Another socket is bound there, and both do not share.
    func isTaken(_ address: SocketAddress, for socket: SimulatedSocket) -> Bool {
        if address.unixPath != nil { return files[address] != nil }
        return sockets.contains { other in
            guard other !== socket, other.isHeld, other.isDatagram == socket.isDatagram,
                other.phase == .bound || other.phase == .listening,
                let local = other.local, local.covers(address) || address.covers(local)
            else { return false }
            return !(other.sharesPort && socket.sharesPort)
        }
    }
}
