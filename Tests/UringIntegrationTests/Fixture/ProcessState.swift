import Glibc

/// How many descriptors this process has open, the directory's own left out.
func openDescriptorCount() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count - 3
}

/// The process's limit of open descriptors, set for a while.
struct DescriptorLimit {
    private let before: rlimit

    /// Raises it as far as the process may.
    static func raise() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }

    /// Leaves room for `free` more descriptors.
    ///
    /// They fill the gaps below the highest first.
    init(leaving free: Int) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        before = limit
        var left = free
        var number: Int32 = 0
        while left > 0 {
            if fcntl(number, F_GETFD) < 0 { left -= 1 }
            number += 1
        }
        limit.rlim_cur = rlim_t(number)
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }

    func restore() {
        var limit = before
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}
