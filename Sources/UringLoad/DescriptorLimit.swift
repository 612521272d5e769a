internal import Glibc
internal import UringCore

/// The limit of open files, RLIMIT_NOFILE.
///
/// > Thread: Any thread.
enum DescriptorLimit {
    /// A ring, its wake-up, listeners of signals; the rest is for the standard library.
    private static let filesPerLoop = 16
    private static let filesOfProcess = 32

    /// Raises the soft limit so far that this many connections can be open.
    ///
    /// - Throws: `ConfigurationError` when the hard limit is lower.
    static func raise(forConnections connections: Int, loops: Int) throws(ConfigurationError) {
        var limit = rlimit()
        // Safety: getrlimit(2) writes the structure during the call, setrlimit(2) reads it.
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(kind, &limit) == 0 else { return }
        let others = filesPerLoop * loops + filesOfProcess
        let wanted = rlim_t(connections + others)
        guard limit.rlim_cur < wanted else { return }
        guard limit.rlim_max >= wanted else {
            throw ConfigurationError(
                variable: "--connections",
                value: "\(connections)",
                accepted: "at most \(max(0, Int(limit.rlim_max) - others)), or raise the limit of "
                    + "open files, which is \(limit.rlim_max), with `ulimit -n`"
            )
        }
        limit.rlim_cur = wanted
        _ = unsafe setrlimit(kind, &limit)
    }
}
