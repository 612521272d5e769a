/// The environment variables that are read.
///
/// A variable exists from the day something stands that it tunes.
///
/// > Thread: Any thread.
enum Setting: String, CaseIterable {
    case cores = "URINGCORE_CORES"
    case ringEntries = "URINGCORE_RING_ENTRIES"
    case completionEntries = "URINGCORE_CQ_ENTRIES"
    case bufferSize = "URINGCORE_BUFFER_SIZE"
    case bufferCount = "URINGCORE_BUFFER_COUNT"
    case memoryLock = "URINGCORE_MLOCK"
    case quarantine = "URINGCORE_QUARANTINE_MS"
    case submissionPoll = "URINGCORE_SQPOLL"
    case submissionPollIdle = "URINGCORE_SQPOLL_IDLE_MS"
    case connectionsMax = "URINGCORE_MAX_CONNECTIONS"
    case backlog = "URINGCORE_BACKLOG"
    case jobBudget = "URINGCORE_JOB_BUDGET_US"
    case drain = "URINGCORE_DRAIN_MS"
    case featuresOff = "URINGCORE_FEATURES_OFF"

    static let prefix = "URINGCORE_"

    /// The known name that is nearest to a mistyped one.
    static func nearest(to name: String) -> Setting? {
        let name = name.uppercased()
        return allCases.min { distance($0.rawValue, name) < distance($1.rawValue, name) }
    }

    /// The number of single-letter changes between two names (Levenshtein).
    private static func distance(_ left: String, _ right: String) -> Int {
        let target = Array(right.utf8)
        var row = Array(0...target.count)
        for (line, letter) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in target.indices {
                let substituted = diagonal + (letter == target[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
            }
        }
        return row[target.count]
    }
}
