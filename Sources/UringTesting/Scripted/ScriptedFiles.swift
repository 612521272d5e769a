package import UringEngine

/// What lies at a path of a `ScriptedDriver`.
///
/// > Thread: Any thread.
package struct ScriptedFile: Hashable, Sendable {
    /// What the driver tells of it.
    package let status: FileStatus
    /// The socket that made it; nil for a file that a test put there.
    package let owner: Descriptor?
}

/// The files of a `ScriptedDriver`: names of its own, never of this machine.
///
/// As a kernel may, it gives the numbers of a removed file to the next one, unless the socket that
/// made it is still open.
///
/// > Thread: On-loop only.
struct ScriptedFiles {
    private(set) var all: [SocketAddress: ScriptedFile] = [:]
    /// Taken off the permissions of each new file.
    var umask: UInt32 = 0o022
    private var inodesGiven: UInt64 = 0
    private var freeInodes: [UInt64] = []

    /// Makes a file.
    mutating func add(
        at address: SocketAddress,
        isSocket: Bool,
        permissions: FilePermissions,
        owner: Descriptor?
    ) {
        inodesGiven += 1
        let inode = freeInodes.popLast() ?? inodesGiven
        all[address] = ScriptedFile(
            status: FileStatus(
                identity: FileIdentity(device: 1, inode: inode),
                isSocket: isSocket,
                permissions: FilePermissions(rawValue: permissions.rawValue & ~umask)
            ),
            owner: owner
        )
    }

    /// Changes the permissions of a file, if there is one.
    mutating func setPermissions(_ permissions: FilePermissions, at address: SocketAddress) {
        guard let file = all[address] else { return }
        let status = FileStatus(
            identity: file.status.identity,
            isSocket: file.status.isSocket,
            permissions: permissions
        )
        all[address] = ScriptedFile(status: status, owner: file.owner)
    }

    /// Takes a name away; `isHeld` keeps its numbers from being given out again.
    mutating func remove(_ address: SocketAddress, isHeld: Bool) {
        guard let file = all.removeValue(forKey: address), !isHeld else { return }
        freeInodes.append(file.status.identity.inode)
    }
}
