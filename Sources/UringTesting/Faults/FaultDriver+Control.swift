package import UringEngine

/// The verbs that answer at once: one that fails is not carried out.
extension FaultDriver {
    /// Throws, if it is this verb's turn to fail.
    func check(_ site: FaultSite, on descriptor: Descriptor? = nil) throws(IOError) {
        guard let fault = plan.decide(site) else { return }
        throw IOError(
            site.operation,
            descriptor: descriptor,
            errno: fault.errno,
            detail: "as the plan of faults says"
        )
    }

    /// Opens a stream socket.
    package func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        try check(.openStreamSocket)
        return try base.openStreamSocket(for: address)
    }

    /// Opens a datagram socket.
    package func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        try check(.openDatagramSocket)
        return try base.openDatagramSocket(for: address)
    }

    /// Binds a socket.
    package func bind(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError) {
        try check(.bind, on: descriptor)
        try base.bind(descriptor, to: address)
    }

    /// Makes a socket a listener.
    package func listen(on descriptor: Descriptor, backlog: Int) throws(IOError) {
        try check(.listen, on: descriptor)
        try base.listen(on: descriptor, backlog: backlog)
    }

    /// Sets an option.
    package func setOption(_ option: SocketOption, on descriptor: Descriptor) throws(IOError) {
        try check(.setOption, on: descriptor)
        try base.setOption(option, on: descriptor)
    }

    /// Reads an option: that never fails by itself.
    package func option(
        _ key: SocketOption.Key,
        of descriptor: Descriptor
    ) throws(IOError) -> SocketOption {
        try base.option(key, of: descriptor)
    }

    /// The socket's own address.
    package func localAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try check(.localAddress, on: descriptor)
        return try base.localAddress(of: descriptor)
    }

    /// The peer's address.
    package func peerAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try check(.peerAddress, on: descriptor)
        return try base.peerAddress(of: descriptor)
    }

    /// Ends one direction of a socket.
    package func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno? {
        plan.decide(.shutdown)?.errno ?? base.shutdown(descriptor, direction)
    }

    /// Ends a connection at once; that cannot fail.
    package func disconnect(_ descriptor: Descriptor) {
        base.disconnect(descriptor)
    }

    /// How much the peer has still to take; nothing is known of it when it fails.
    package func outputState(of descriptor: Descriptor) -> OutputState {
        guard plan.decide(.outputState) == nil else {
            return OutputState(unacknowledgedBytes: nil, acknowledgedBytes: nil)
        }
        return base.outputState(of: descriptor)
    }

    /// The CPU of the socket's last packet; nil when it fails.
    package func incomingCPU(of descriptor: Descriptor) -> Int? {
        plan.decide(.incomingCPU) == nil ? base.incomingCPU(of: descriptor) : nil
    }

    /// Closes a descriptor.
    package func close(_ descriptor: Descriptor) {
        base.close(descriptor)
    }

    /// Lets go of a descriptor.
    package func letGo(_ descriptor: Descriptor) {
        base.letGo(descriptor)
    }

    // MARK: Unix sockets

    /// Connects a Unix socket.
    package func connectAtOnce(
        _ descriptor: Descriptor,
        to address: SocketAddress
    ) throws(IOError) {
        try check(.connectAtOnce, on: descriptor)
        try base.connectAtOnce(descriptor, to: address)
    }

    /// Chooses the permissions of the file that a bind makes.
    package func setPermissions(
        _ permissions: FilePermissions,
        of descriptor: Descriptor
    ) throws(IOError) {
        try check(.setPermissions, on: descriptor)
        try base.setPermissions(permissions, of: descriptor)
    }

    /// Sets the permissions of a file.
    package func setPermissions(
        _ permissions: FilePermissions,
        of file: FileIdentity,
        at address: SocketAddress
    ) throws(IOError) {
        try check(.setFilePermissions)
        try base.setPermissions(permissions, of: file, at: address)
    }

    /// What lies at an address.
    package func fileStatus(at address: SocketAddress) throws(IOError) -> FileStatus? {
        try check(.fileStatus)
        return try base.fileStatus(at: address)
    }

    /// Whether somebody is bound there.
    package func isBound(_ address: SocketAddress) throws(IOError) -> Bool {
        try check(.isBound)
        return try base.isBound(address)
    }

    /// Takes a name away.
    package func unlink(_ address: SocketAddress) throws(IOError) {
        try check(.unlink)
        try base.unlink(address)
    }
}
