/// Whether a peer still takes what is sent to it, read from its acknowledgements: a send that waits
/// for all its bytes hides them.
///
/// > Thread: On-loop only.
final class OutputProgress {
    /// What one look finds.
    struct Look {
        /// The peer has taken everything; unknown counts as everything.
        let isComplete: Bool
        /// Why there is no sense in waiting any longer, if so.
        let failure: Failure?
    }

    /// Why a close gives a peer up.
    enum Failure {
        /// It has taken nothing for `StreamOptions.flushTimeout`.
        case stalled
        /// It has taken something now and then, but not all within `StreamOptions.closeTimeout`.
        case late
    }

    /// The longest pause between two looks, in nanoseconds: eight are within the timeout, and one
    /// within each second.
    let pauseMaxNanoseconds: UInt64
    private let loop: EventLoop
    private let descriptor: Descriptor
    private let timeoutNanoseconds: UInt64
    private let end: UInt64
    private var last: OutputState
    private var lastProgress: UInt64

    /// Begins to look: the close begins now.
    init(loop: EventLoop, descriptor: Descriptor, options: StreamOptions) {
        self.loop = loop
        self.descriptor = descriptor
        let timeout = options.flushTimeout.clampedNanoseconds
        self.timeoutNanoseconds = timeout
        self.pauseMaxNanoseconds = min(max(timeout / 8, 1_000_000), 1_000_000_000)
        self.lastProgress = loop.driver.base.now()
        self.end = Deadline.after(options.closeTimeout, from: lastProgress).nanoseconds
        self.last = loop.driver.base.outputState(of: descriptor)
    }

    /// Looks once.
    func look(now: UInt64) -> Look {
        let state = loop.driver.base.outputState(of: descriptor)
        if state != last {
            last = state
            lastProgress = now
        }
        let isComplete = (state.unacknowledgedBytes ?? 0) == 0
        if now >= lastProgress &+ timeoutNanoseconds {
            return Look(isComplete: isComplete, failure: .stalled)
        }
        return Look(isComplete: isComplete, failure: now >= end ? .late : nil)
    }
}
