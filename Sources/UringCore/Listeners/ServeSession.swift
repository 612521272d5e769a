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
            guard waiter.finish() == .ready else { return nil }
        }
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
