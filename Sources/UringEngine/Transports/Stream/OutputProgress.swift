/// Whether a peer still takes what is sent to it, read from its acknowledgements: a send that waits
/// for all its bytes hides them.
///
/// A Unix peer acknowledges nothing. There it is what the kernel has taken, and what the peer has
/// not read.
///
/// > Thread: On-loop only.
final class OutputProgress {
    private let loop: EventLoop
    private let descriptor: Descriptor
    private let timeoutNanoseconds: UInt64
    private var acknowledgedBytes: UInt64?
    private var unacknowledgedBytes: Int?
    private var queuedBytes: Int
    private var lastProgress: UInt64

    init(loop: EventLoop, descriptor: Descriptor, timeout: Duration, queuedBytes: Int = 0) {
        self.loop = loop
        self.descriptor = descriptor
        self.timeoutNanoseconds = timeout.clampedNanoseconds
        self.lastProgress = loop.driver.base.now()
        let state = loop.driver.base.outputState(of: descriptor)
        self.acknowledgedBytes = state.acknowledgedBytes
        self.unacknowledgedBytes = state.unacknowledgedBytes
        self.queuedBytes = queuedBytes
    }

    /// When to look next: eight times within the timeout, at least each second.
    func nextCheck(now: UInt64) -> UInt64 {
        now &+ min(max(timeoutNanoseconds / 8, 1_000_000), 1_000_000_000)
    }

    /// The peer has taken nothing for the whole timeout.
    func isStalled(now: UInt64, queuedBytes: Int = 0) -> Bool {
        let state = loop.driver.base.outputState(of: descriptor)
        if state.acknowledgedBytes != acknowledgedBytes
            || state.unacknowledgedBytes != unacknowledgedBytes
            || queuedBytes != self.queuedBytes
        {
            self.queuedBytes = queuedBytes
            acknowledgedBytes = state.acknowledgedBytes
            unacknowledgedBytes = state.unacknowledgedBytes
            lastProgress = now
        }
        return now >= lastProgress &+ timeoutNanoseconds
    }

    /// The peer has taken everything; unknown counts as everything.
    var isComplete: Bool {
        (loop.driver.base.outputState(of: descriptor).unacknowledgedBytes ?? 0) == 0
    }
}
