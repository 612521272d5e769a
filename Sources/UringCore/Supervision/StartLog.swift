internal import Logging
internal import Synchronization

/// Logs what loops say; while they start, each line once.
///
/// Shards are made alike: what one of them has to say of its ring or its pool, all have.
///
/// > Thread: Any thread.
final class StartLog: Sendable {
    private let logger: Logger
    /// Nil once all have started.
    private let said = Mutex<Set<String>?>([])

    init(_ logger: Logger) {
        self.logger = logger
    }

    func log(_ line: String) {
        let isNew = said.withLock { said in
            guard said != nil else { return true }
            return said?.insert(line).inserted ?? true
        }
        if isNew { logger.info("\(line)") }
    }

    /// From here on every line is logged.
    func end() {
        said.withLock { $0 = nil }
    }
}
