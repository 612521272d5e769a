/// A scheduled callback that can be taken back.
///
/// > Thread: On-loop only.
public final class CallbackHandle: JobTarget {
    private var body: (() throws -> Void)?
    private let loop: EventLoop

    init(loop: EventLoop, _ body: @escaping () throws -> Void) {
        self.loop = loop
        self.body = body
    }

    /// Nothing will run any more: it ran, or it was cancelled.
    public var isDone: Bool { body == nil }

    /// Takes the callback back; what it captured is freed at once.
    public func cancel() {
        loop.checkOnLoop()
        body = nil
    }

    /// Runs the callback, unless it was taken back.
    package func runJob(tag: UInt8) {
        guard let body else { return }
        self.body = nil
        loop.run(body, origin: .job)
    }
}

/// A timer that can be taken back.
///
/// > Thread: On-loop only.
public struct TimerHandle {
    let loop: EventLoop
    let id: TimerID

    /// Takes the timer back; what it captured is freed at once.
    ///
    /// A timer that fired or was cancelled is left alone.
    public func cancel() {
        loop.cancelTimer(id)
    }
}
