internal import DequeModule

/// What stands between a listening socket's callbacks and the task that serves it.
///
/// > Thread: On-loop only, but for `cancel`, which posts.
final class ServeSession: @unchecked Sendable {
    // Safety: a cancellation holds a reference and posts; all else is on the loop's thread.

    /// Why accepting ended.
    enum End {
        case drained
        case cancelled
        /// The deadline of the serving task has passed.
        case deadlineExceeded
        /// The shard ends.
        case closed
    }

    private let loop: EventLoop
    private var accepted = Deque<ConnectionCore>()
    private let waiter: Waiter
    private(set) var ended: End?
    /// Its place among those that are told of the drain.
    var number: UInt64 = 0

    init(loop: EventLoop) {
        self.loop = loop
        self.waiter = Waiter(loop: loop)
    }

    /// No connection waits to be handled.
    var isEmpty: Bool { accepted.isEmpty }

    /// Connections that stand and wait to be handled.
    var waitingCount: Int { accepted.count }

    /// A connection stands.
    func append(_ connection: ConnectionCore) {
        accepted.append(connection)
        waiter.resume()
    }

    /// The next connection; nil when no more will come.
    ///
    /// The serving task is watched for cancellation by `Listener.serve`.
    func next() async -> ConnectionCore? {
        while true {
            if let connection = accepted.popFirst() { return connection }
            if ended != nil { return nil }
            await waiter.wait(timeout: nil, isCancelledElsewhere: true)
            switch waiter.finish() {
            case .ready: continue
            case .deadlineExceeded: end(.deadlineExceeded)
            case .cancelled, .elsewhere, .ended: return nil
            }
        }
    }

    /// The next connection, for a task that comes for one at a time; nil when no more will come.
    ///
    /// - Throws: `.busy` when another task waits; what ended this wait: the session goes on.
    func nextWatched(_ shard: Shard) async throws(IOError) -> ConnectionCore? {
        while true {
            if let connection = accepted.popFirst() { return connection }
            if ended != nil { return nil }
            guard !waiter.isBusy else {
                throw IOError(.accept, reason: .busy, detail: "another task waits for the same")
            }
            await waiter.wait(timeout: nil, isCancelledElsewhere: false)
            try shard.check(waiter.finish(), .accept)
        }
    }

    /// Resets what nobody came for.
    func abortAll() {
        while let connection = accepted.popFirst() { connection.abort() }
    }

    /// No more connections come.
    func end(_ end: End) {
        if ended == nil { ended = end }
        waiter.resume()
    }

    /// The serving task was cancelled.
    ///
    /// > Thread: Any thread.
    func cancel() {
        loop.callSoonThreadsafe { self.end(.cancelled) }
    }
}
