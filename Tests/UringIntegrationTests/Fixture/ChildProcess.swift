import Glibc

/// A process that holds a socket of its own and can be killed at any time.
final class ChildProcess {
    private var processID: pid_t = 0

    /// Starts `cat` from /dev/zero to a connected socket.
    ///
    /// The caller closes its own descriptor.
    static func writingZeroes(to peer: Peer) throws -> ChildProcess {
        let child = ChildProcess()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/zero", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, peer.descriptor, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("cat"), nil]
        defer { free(arguments[0]) }
        let failure = posix_spawnp(&child.processID, "cat", &actions, nil, &arguments, environ)
        guard failure == 0 else {
            errno = failure
            throw PeerError("posix_spawnp")
        }
        return child
    }

    /// SIGKILL: the process has no say in how its socket ends.
    func kill() {
        Glibc.kill(processID, SIGKILL)
        var status: Int32 = 0
        waitpid(processID, &status, 0)
    }
}
