internal import CUring
package import UringEngine

/// Unix sockets and their files, in names that only this driver knows.
extension ScriptedDriver {
    // MARK: What a test sets and reads

    /// Taken off the permissions of each file that a bind makes.
    package var umask: UInt32 {
        get { files.umask }
        set { files.umask = newValue }
    }

    /// What lies at an address; nil when nothing does.
    package func file(at address: SocketAddress) -> ScriptedFile? { files.all[address] }

    /// Puts a file that no open socket made, in place of what was there.
    package func putFile(at address: SocketAddress, isSocket: Bool) {
        removeFile(at: address)
        files.add(at: address, isSocket: isSocket, permissions: 0o755, owner: nil)
    }

    /// Takes a file away behind the loop's back.
    package func removeFile(at address: SocketAddress) {
        files.remove(address, isHeld: hasOpenOwner(at: address))
    }

    // MARK: The verbs

    /// Connects at once; a test that wants something else scripts it.
    package func connectAtOnce(
        _ descriptor: Descriptor,
        to address: SocketAddress
    ) throws(IOError) {
        var form = cu_address()
        try address.store(in: &form)
        _ = try check(descriptor, for: .connectAtOnce)
        descriptors.update(descriptor) { value in
            value.state = .connected
            value.peerAddress = address
            value.localAddress = value.localAddress ?? .unix([])
        }
        journal.append(.connected(descriptor, to: address))
    }

    /// Remembers what a bind shall give the file.
    package func setPermissions(
        _ permissions: FilePermissions,
        of descriptor: Descriptor
    ) throws(IOError) {
        _ = try check(descriptor, for: .setPermissions)
        descriptors.update(descriptor) { $0.permissions = permissions }
        journal.append(.permissionsSet(descriptor, permissions))
    }

    /// Changes the file, if it is this one.
    package func setPermissions(
        _ permissions: FilePermissions,
        of file: FileIdentity,
        at address: SocketAddress
    ) throws(IOError) {
        try throwFailure(of: .setFilePermissions)
        guard files.all[address]?.status.identity == file else {
            throw refuse(.setFilePermissions, nil, .notFound)
        }
        files.setPermissions(permissions, at: address)
        journal.append(.filePermissionsSet(address, permissions))
    }

    /// What lies at an address.
    package func fileStatus(at address: SocketAddress) throws(IOError) -> FileStatus? {
        try throwFailure(of: .fileStatus)
        return files.all[address]?.status
    }

    /// Whether an open socket made the file at an address.
    package func isBound(_ address: SocketAddress) throws(IOError) -> Bool {
        try throwFailure(of: .isBound)
        return hasOpenOwner(at: address)
    }

    /// Takes a name away; ENOENT when nothing has it.
    package func unlink(_ address: SocketAddress) throws(IOError) {
        try throwFailure(of: .unlink)
        guard files.all[address] != nil else { throw refuse(.unlink, nil, .notFound) }
        removeFile(at: address)
        journal.append(.unlinked(address))
    }

    // MARK: How it is done

    private func hasOpenOwner(at address: SocketAddress) -> Bool {
        guard let owner = files.all[address]?.owner else { return false }
        return descriptors.openDescriptor(owner) != nil
    }

    /// Makes the file of a socket that is being bound; EADDRINUSE when its name is taken.
    func makeFile(
        of descriptor: Descriptor,
        _ value: ScriptedDescriptor,
        at address: SocketAddress
    ) throws(IOError) {
        guard address.unixPath != nil else { return }
        guard files.all[address] == nil else { throw refuse(.bind, descriptor, .addressInUse) }
        files.add(
            at: address,
            isSocket: true,
            permissions: value.permissions ?? 0o777,
            owner: descriptor
        )
    }
}
