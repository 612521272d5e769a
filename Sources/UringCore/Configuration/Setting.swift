/// The environment variables that are read.
///
/// A variable exists from the day something stands that it tunes.
///
/// > Thread: Any thread.
enum Setting: String, CaseIterable {
    case cores = "URINGCORE_CORES"
    case coreCount = "URINGCORE_CORE_COUNT"
    case pinning = "URINGCORE_PIN"
    case backend = "URINGCORE_BACKEND"
    case ringEntries = "URINGCORE_RING_ENTRIES"
    case completionEntries = "URINGCORE_CQ_ENTRIES"
    case bufferSize = "URINGCORE_BUFFER_SIZE"
    case bufferCount = "URINGCORE_BUFFER_COUNT"
    case memoryLock = "URINGCORE_MLOCK"
    case quarantine = "URINGCORE_QUARANTINE_MS"
    case submissionPoll = "URINGCORE_SQPOLL"
    case submissionPollIdle = "URINGCORE_SQPOLL_IDLE_MS"
    case spin = "URINGCORE_SPIN_US"
    case zeroCopyThreshold = "URINGCORE_ZC_THRESHOLD"
    case inFlightPerDescriptor = "URINGCORE_INFLIGHT_PER_FD"
    case connectionsMax = "URINGCORE_MAX_CONNECTIONS"
    case backlog = "URINGCORE_BACKLOG"
    case balance = "URINGCORE_BALANCE"
    case jobBudget = "URINGCORE_JOB_BUDGET_US"
    case stall = "URINGCORE_STALL_MS"
    case drain = "URINGCORE_DRAIN_MS"
    case featuresOff = "URINGCORE_FEATURES_OFF"

    static let prefix = "URINGCORE_"

    /// The known name that is nearest to a mistyped one; of two alike the one that begins like it,
    /// since ends such as `_MS` are what people forget.
    static func nearest(to name: String) -> Setting? {
        let name = name.uppercased()
        let places = allCases.map { setting in
            let known = setting.rawValue
            let sharedCount = zip(known, name).prefix { $0 == $1 }.count
            return (setting, rank: (distance(known, name), -sharedCount))
        }
        return places.min { $0.rank < $1.rank }?.0
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
