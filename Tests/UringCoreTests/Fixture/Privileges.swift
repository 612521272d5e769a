import Glibc

/// Only root may change the user.
var isRoot: Bool { geteuid() == 0 }

/// Makes this process one of a user without rights, who may lock so much memory.
///
/// Rings of one user share that limit, so each process is a user of its own.
func becomeUnprivileged(lockedBytes: Int) throws {
    let lockedMemory: UInt32 = 8  // RLIMIT_MEMLOCK, which Glibc does not import.
    var limit = rlimit(rlim_cur: rlim_t(lockedBytes), rlim_max: rlim_t(lockedBytes))
    let user = uid_t(100_000 + getpid())
    guard setrlimit(__rlimit_resource_t(lockedMemory), &limit) == 0,
        setgroups(0, nil) == 0, setgid(user) == 0, setuid(user) == 0
    else { throw ClientError("become a user without rights") }
}
