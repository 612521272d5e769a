/// What a loop stands on.
///
/// > Thread: Any thread.
public enum Backend: String, Hashable, Sendable {
    /// io_uring: what this runtime is made for, and what its figures are about.
    case uring = "io_uring"
    /// epoll: where io_uring is not to be had.
    case epoll
    /// Another driver, such as a test's.
    case custom
}

/// What a loop is to stand on.
///
/// > Thread: Any thread.
public enum BackendChoice: String, Hashable, Sendable, CaseIterable {
    /// io_uring, and epoll where io_uring is not to be had: a kernel without it, or a container that
    /// forbids it.
    ///
    /// Want of memory or of descriptors is an error here as well. A supervisor decides once for all
    /// its shards.
    case auto
    /// io_uring, or an error.
    case uring
    /// epoll, wherever it runs.
    case epoll

    /// The line that says why epoll is used although nobody asked for it.
    package static func fallbackLine(because error: IOError) -> String {
        "io_uring is not to be had here, so epoll is used instead: \(error)"
    }
}

extension DriverChoice {
    /// Sets up what the options ask for, on the calling thread.
    ///
    /// - Throws: errors of `.setUpRing` and `.setUpDriver` that say what to change.
    init(_ options: LoopOptions) throws(IOError) {
        switch options.backend {
        case .epoll: self = .epoll(try EpollDriver())
        case .uring: self = .uring(try UringDriver(options: options.uringDriver))
        case .auto:
            do throws(IOError) {
                self = .uring(try UringDriver(options: options.uringDriver))
            } catch {
                guard error.meansNoUring else { throw error }
                options.log(BackendChoice.fallbackLine(because: error))
                self = .epoll(try EpollDriver())
            }
        }
    }
}
