import UringEngine

/// The files of Unix sockets in a simulated kernel.
///
/// > Thread: On the simulation's thread only.
struct SimulatedFiles {
    struct File {
        var status: FileStatus
        let owner: SimulatedSocket
    }

    // Looked up by name only: nothing walks through it.
    private var all: [SocketAddress: File] = [:]
    private var inodesGiven: UInt64 = 0

    subscript(address: SocketAddress) -> File? { all[address] }

    mutating func add(at address: SocketAddress, of owner: SimulatedSocket) {
        inodesGiven += 1
        let permissions = owner.permissions ?? 0o777
        let status = FileStatus(
            identity: FileIdentity(device: 1, inode: inodesGiven),
            isSocket: true,
            permissions: FilePermissions(rawValue: permissions.rawValue & ~0o022)
        )
        all[address] = File(status: status, owner: owner)
    }

    mutating func setPermissions(_ permissions: FilePermissions, at address: SocketAddress) {
        guard let file = all[address] else { return }
        all[address]?.status = FileStatus(
            identity: file.status.identity,
            isSocket: true,
            permissions: permissions
        )
    }

    mutating func remove(_ address: SocketAddress) {
        all[address] = nil
    }

    var count: Int { all.count }
}
