/// What one worker has counted, or all of them together.
///
/// > Thread: Any thread.
package struct LoadResult: Sendable {
    /// How long each answered request took, and for those without an answer how long they had
    /// waited when they were given up.
    package var latencies = LatencyRecord()
    /// Requests answered within the window.
    package var requests = 0
    /// Requests answered after it.
    package var lateRequests = 0
    /// Bytes that came back within the window.
    package var bytes = 0
    /// The window, in nanoseconds.
    package var windowNanoseconds: UInt64 = 0
    /// Requests sent, wholly or in part, that were never answered.
    package var unansweredRequests = 0
    /// Requests of an open loop that were due within the window and could not be sent.
    package var unsentRequests = 0
    /// Bytes that came back different.
    package var wrongBytes = 0
    /// Connections that ended, or did not answer any more.
    package var lostConnections = 0
    /// What went wrong first.
    package var firstError: String?

    /// Makes an empty one.
    package init() {}

    /// Every byte came back right, and every connection lasted.
    package var isFlawless: Bool { wrongBytes == 0 && lostConnections == 0 }

    /// The window in seconds.
    package var seconds: Double { Double(windowNanoseconds) / 1e9 }

    /// Requests answered a second; 0 for a window without length.
    package var requestsPerSecond: Double { perSecond(requests) }

    /// Bytes that came back a second; 0 for a window without length.
    package var bytesPerSecond: Double { perSecond(bytes) }

    private func perSecond(_ count: Int) -> Double {
        windowNanoseconds > 0 ? Double(count) / seconds : 0
    }

    /// Adds the counts of a worker that ran at the same time.
    package mutating func add(_ other: LoadResult) {
        latencies.add(other.latencies)
        requests += other.requests
        lateRequests += other.lateRequests
        bytes += other.bytes
        windowNanoseconds = max(windowNanoseconds, other.windowNanoseconds)
        unansweredRequests += other.unansweredRequests
        unsentRequests += other.unsentRequests
        wrongBytes += other.wrongBytes
        lostConnections += other.lostConnections
        firstError = firstError ?? other.firstError
    }
}
