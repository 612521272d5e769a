internal import UringCore

/// One core's part of the load: its connections, their timetable, and what they counted.
///
/// It goes through `Phase` from top to bottom:
///
/// ```
/// connecting  all connections are opened, a few at a time
/// waiting     until those of the other workers stand too
/// measuring   the window: messages are begun, answers counted
/// draining    nothing is begun any more; what is in flight comes back, within a limit
/// closing     the result stands; connections are closed
/// ```
///
/// > Thread: Made and run on its loop's thread; `post` is the door for others.
final class LoadWorker: @unchecked Sendable {
    // Exclusivity: unchecked for what every message touches (docs/decisions/0003).
    // Safety: the variables marked so are the loop thread's alone, and none is lent out while
    // something is called that may come back here.
    // Sendable: other threads hold it only to call `post`; the loop checks that all the rest comes
    // on its own thread.

    enum Phase {
        case connecting
        case waiting
        case measuring
        case draining
        case closing
    }

    let loop: EventLoop
    let plan: LoadPlan
    let pattern: BytePattern
    let schedule: RequestSchedule?
    let addresses: [SocketAddress]
    let drainLimit: Duration
    let coordinator: LoadCoordinator
    /// The connections' numbers.
    let numbers: Range<Int>

    @safe @exclusivity(unchecked) var phase = Phase.connecting
    var connections: [LoadConnection] = []
    /// The window is over as soon as it begins.
    var isInterrupted = false
    /// The number of the connection to open next.
    var nextNumber: Int
    /// Those that are not lost.
    var liveCount = 0
    /// Requests in flight on them.
    @safe @exclusivity(unchecked) var inFlightCount = 0
    @safe @exclusivity(unchecked) var windowStart: UInt64 = 0
    /// The message, and the place of its connection, that is due next in an open loop.
    var nextDue = (message: 0, position: 0)
    @safe @exclusivity(unchecked) var latencies = LatencyRecord()
    @safe @exclusivity(unchecked) var result = LoadResult()

    /// Connections that are being opened at once: a server's queue of connections to accept must not
    /// overflow, or a SYN is repeated only after a second.
    static let openingMax = 64
    /// How long the connections' ends may take.
    static let closingLimit = Duration.seconds(2)

    init(loop: EventLoop, job: LoadJob, numbers: Range<Int>, coordinator: LoadCoordinator) {
        self.loop = loop
        self.numbers = numbers
        self.coordinator = coordinator
        plan = job.plan
        pattern = job.pattern
        schedule = job.schedule
        addresses = job.addresses
        drainLimit = job.drainLimit
        nextNumber = numbers.lowerBound
    }

    /// Does its part, from the first connection to the last.
    ///
    /// - Throws: an error of `.wait` when the kernel refuses to wait.
    func run() throws(IOError) -> LoadResult {
        openFirst()
        try loop.runForever()
        try closeConnections()
        result.latencies = latencies
        return result
    }

    /// Calls `action` on the loop's thread; drops it when the loop was shut down.
    ///
    /// > Thread: Any thread.
    func post(_ action: @escaping @Sendable (LoadWorker) -> Void) {
        loop.callSoonThreadsafe { action(self) }
    }

    /// Answers count, and are followed by other messages.
    var isMeasuring: Bool { phase == .measuring }

    // MARK: Counting

    /// Bytes came back on one of its connections, and completed messages.
    func took(byteCount: Int, messageCount: Int) {
        inFlightCount &-= messageCount
        if phase == .measuring {
            result.bytes &+= byteCount
            result.requests &+= messageCount
        } else {
            result.lateRequests &+= messageCount
            finishIfDone()
        }
    }

    /// Bytes were not those expected; the first such sentence is kept.
    func countWrong(_ byteCount: Int, _ sentence: String) {
        result.wrongBytes += byteCount
        result.firstError = result.firstError ?? sentence
    }

    /// A connection ended that should not have, or has stopped to answer.
    func lose(_ connection: LoadConnection, _ reason: String) {
        guard phase != .closing, !connection.isLost else { return }
        result.lostConnections += 1
        result.firstError = result.firstError ?? "connection \(connection.number) lost: \(reason)"
        result.unsentRequests += connection.dropBacklog(now: loop.now)
        let unanswered = connection.giveUp(now: loop.now)
        result.unansweredRequests += unanswered
        inFlightCount -= unanswered
        liveCount -= 1
        if phase == .measuring, liveCount == 0 { endWindow() }
        finishIfDone()
    }

    // MARK: The end

    /// Everything is back, or was given up.
    func finishIfDone() {
        guard phase == .draining, inFlightCount == 0 else { return }
        stop()
    }

    /// The run is over, whatever it was doing.
    func stop() {
        guard phase != .closing else { return }
        phase = .closing
        loop.stop()
    }

    /// Closes in order, so that the server sees an end and not a reset.
    private func closeConnections() throws(IOError) {
        var isLate = false
        loop.callLater(Self.closingLimit) { isLate = true }
        for connection in connections { connection.close() }
        connections.removeAll()
        while loop.metrics.openConnections > 0, !isLate { try loop.runOnce(mayWait: true) }
    }
}
