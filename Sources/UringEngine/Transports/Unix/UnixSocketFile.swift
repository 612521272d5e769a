internal import Synchronization

/// The file of a bound Unix socket, with what it takes to remove that file and no other.
///
/// It belongs to whoever owns the socket, a listener or a registry of listeners.
///
/// > Thread: Any thread.
package final class UnixSocketFile: Sendable {
    /// Where it is.
    package let address: SocketAddress
    private let identity: FileIdentity
    // Pairs with itself alone: whoever sets it first removes the file.
    private let isRemoved = Atomic(false)

    private init(address: SocketAddress, identity: FileIdentity) {
        self.address = address
        self.identity = identity
    }

    /// Binds a socket to a path.
    ///
    /// A socket's file that nobody is bound to any more, as a process leaves behind that was
    /// killed, is replaced. Anything else that has the name stays: a bound socket, listening or
    /// not, and whatever is no socket.
    ///
    /// The kernel has no way to look and remove in one step: of two processes that replace one
    /// stale file within the same microseconds, one may lose its new file to the other.
    ///
    /// - Parameters:
    ///   - descriptor: a Unix socket that is not bound.
    ///   - address: a path, relative or absolute.
    ///   - permissions: what the file gets, whatever the umask is.
    ///   - control: who asks the kernel.
    /// - Returns: the file, which exists until `remove`.
    /// - Throws: EADDRINUSE that says what has the name; `.invalidArgument` for permissions;
    ///   EACCES, ENOENT and others of bind(2).
    package static func bind(
        _ descriptor: Descriptor,
        to address: SocketAddress,
        permissions: FilePermissions,
        through control: any SocketControl
    ) throws(IOError) -> UnixSocketFile {
        try check(permissions)
        // Before the bind: the file is never more open than asked.
        try control.setPermissions(permissions, of: descriptor)
        do throws(IOError) {
            try control.bind(descriptor, to: address)
        } catch {
            guard error.errno == .addressInUse else { throw error }
            try removeStale(at: address, through: control)
            try control.bind(descriptor, to: address)
        }
        guard let status = try control.fileStatus(at: address), status.isSocket else {
            throw IOError(.bind, errno: .notFound, detail: "\(address) was removed at once")
        }
        let file = UnixSocketFile(address: address, identity: status.identity)
        if status.permissions != permissions { try file.widen(to: permissions, through: control) }
        return file
    }

    /// Binds a socket of any family; as `bind`, where the address is a path.
    ///
    /// - Returns: the file; nil where the address has none.
    static func bindAny(
        _ descriptor: Descriptor,
        to address: SocketAddress,
        permissions: FilePermissions,
        through control: any SocketControl
    ) throws(IOError) -> UnixSocketFile? {
        guard address.unixPath != nil else {
            try control.bind(descriptor, to: address)
            return nil
        }
        return try bind(descriptor, to: address, permissions: permissions, through: control)
    }

    private static func check(_ permissions: FilePermissions) throws(IOError) {
        guard permissions.rawValue > 0o777 else { return }
        throw IOError(
            .setPermissions,
            reason: .invalidArgument,
            detail: "unixPermissions are 0o000 to 0o777, got \(permissions)"
        )
    }

    /// Makes room for a bind, or says who has the name.
    private static func removeStale(
        at address: SocketAddress,
        through control: any SocketControl
    ) throws(IOError) {
        guard let status = try control.fileStatus(at: address) else { return }
        guard status.isSocket else {
            throw inUse(address, "what lies there is not a socket, and is left alone")
        }
        guard try !control.isBound(address) else {
            throw inUse(address, "another socket is bound there and in use")
        }
        try control.unlink(address)
    }

    private static func inUse(_ address: SocketAddress, _ why: String) -> IOError {
        IOError(.bind, errno: .addressInUse, detail: "\(address): \(why)")
    }

    /// Gives back what the umask took.
    private func widen(
        to permissions: FilePermissions,
        through control: any SocketControl
    ) throws(IOError) {
        do throws(IOError) {
            try control.setPermissions(permissions, of: identity, at: address)
        } catch {
            remove(through: control)
            throw error
        }
    }

    /// Removes the file, unless another has its name by now; the second call does nothing.
    ///
    /// Precondition: the socket is not closed yet. It holds its file, so that no other can have got
    /// the same numbers.
    ///
    /// - Returns: why the file is still there, or nil.
    @discardableResult
    package func remove(through control: any SocketControl) -> IOError? {
        guard !isRemoved.exchange(true, ordering: .relaxed) else { return nil }
        do throws(IOError) {
            guard try control.fileStatus(at: address)?.identity == identity else { return nil }
            try control.unlink(address)
            return nil
        } catch {
            return error
        }
    }
}
