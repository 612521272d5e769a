internal import CUring
internal import Glibc

/// The files of Unix sockets, by system calls.
// Safety: every system call here uses the memory it is given during the call only.
extension SystemControl {
    /// Chooses what bind(2) will give the socket's file, less the umask.
    ///
    /// unix_bind() takes the mode of the socket's own inode, which fchmod(2) sets: so the file is
    /// never more open than asked, not for a moment, and the process's umask is left alone.
    package func setPermissions(
        _ permissions: FilePermissions,
        of descriptor: Descriptor
    ) throws(IOError) {
        guard fchmod(descriptor.rawValue, permissions.rawValue) != 0 else { return }
        throw IOError(
            .setPermissions,
            descriptor: descriptor,
            errno: .current,
            detail: "\(permissions)"
        )
    }

    /// Sets the permissions of one file, whatever has the name now.
    ///
    /// The name is opened without following a link and without reading (O_PATH, open(2)). fchmod(2)
    /// takes no such descriptor, chmod(2) of its entry in /proc does.
    package func setPermissions(
        _ permissions: FilePermissions,
        of file: FileIdentity,
        at address: SocketAddress
    ) throws(IOError) {
        let held = unsafe withPath(of: address) { unsafe cu_hold_file($0) }
        if let failure = Self.failure(held) {
            throw IOError(.setPermissions, errno: failure, detail: "\(address)")
        }
        defer { _ = cu_close(held) }
        var form = stat()
        guard unsafe fstat(held, &form) == 0 else {
            throw IOError(.setPermissions, errno: .current, detail: "\(address)")
        }
        guard FileStatus(form).identity == file else {
            throw IOError(.setPermissions, errno: .notFound, detail: "\(address) is another file")
        }
        guard unsafe chmod("/proc/self/fd/\(held)", permissions.rawValue) == 0 else {
            throw IOError(.setPermissions, errno: .current, detail: "\(address), \(permissions)")
        }
    }

    /// What lies at a path (lstat(2)).
    package func fileStatus(at address: SocketAddress) throws(IOError) -> FileStatus? {
        var form = stat()
        let result = unsafe withPath(of: address) { unsafe lstat($0, &form) }
        switch Self.failure(result) {
        case nil: return FileStatus(form)
        case .some(.notFound): return nil
        case .some(let failure):
            throw IOError(.inspectFile, errno: failure, detail: "\(address)")
        }
    }

    /// Whether a socket is bound to a path, told by a datagram socket that tries to connect to it.
    ///
    /// The kernel looks for the socket first and at its type second: ECONNREFUSED when there is
    /// none, EPROTOTYPE for a stream (seen on Linux 6.18). A stream socket could not tell a stale
    /// file from a server between its bind and its listen, and a live server would get a connection
    /// that nobody wants.
    package func isBound(_ address: SocketAddress) throws(IOError) -> Bool {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let probe = socket(AF_UNIX, type, 0)
        guard probe >= 0 else { throw IOError(.openSocket, errno: .current, detail: "\(address)") }
        defer { _ = cu_close(probe) }
        let failure = try unsafe call(with: address) { unsafe connect(probe, $0, $1) }
        switch failure {
        case nil, .some(.wrongProtocolType), .some(.notPermitted):
            // EPERM: a datagram socket that has chosen its peer (unix_may_send).
            return true
        case .some(.connectionRefused), .some(.notFound):
            return false
        case .some(let failure):
            throw IOError(.inspectFile, errno: failure, detail: "\(address)")
        }
    }

    /// Takes a name away (unlink(2)).
    package func unlink(_ address: SocketAddress) throws(IOError) {
        let result = unsafe withPath(of: address) { unsafe Glibc.unlink($0) }
        guard let failure = Self.failure(result) else { return }
        throw IOError(.removeFile, errno: failure, detail: "\(address)")
    }

    /// Hands a path to a system call.
    ///
    /// - Returns: its result, or a negative errno.
    private func withPath(
        of address: SocketAddress,
        _ body: (UnsafePointer<CChar>) -> Int32
    ) -> Int32 {
        guard let path = address.unixPath else {
            preconditionFailure("only a Unix address with a path has a file")
        }
        let text = path.map { CChar(bitPattern: $0) } + [0]
        return unsafe text.withUnsafeBufferPointer { text in
            guard let text = text.baseAddress else { return -EINVAL }
            let result = unsafe body(text)
            return result == -1 ? -errno : result
        }
    }
}

extension FileStatus {
    fileprivate init(_ form: stat) {
        self.init(
            identity: FileIdentity(device: UInt64(form.st_dev), inode: UInt64(form.st_ino)),
            isSocket: form.st_mode & S_IFMT == S_IFSOCK,
            permissions: FilePermissions(rawValue: form.st_mode & 0o777)
        )
    }
}
