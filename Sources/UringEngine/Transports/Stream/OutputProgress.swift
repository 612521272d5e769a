/// Whether a peer still takes what is sent to it, read from its acknowledgements: a send that waits
/// for all its bytes hides them.
///
/// A Unix peer acknowledges nothing. There it is what the kernel has taken, and what the peer has
/// not read.
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
    private var lastQueuedBytes: Int
    private var lastProgress: UInt64

    /// Begins to look: the close begins now.
    ///
    /// `queuedBytes` is what has not been handed to the kernel, where that is all there is to see.
    init(
        loop: EventLoop,
        descriptor: Descriptor,
        options: StreamOptions,
        queuedBytes: Int = 0
    ) {
        self.loop = loop
        self.descriptor = descriptor
        let timeout = options.flushTimeout.clampedNanoseconds
        self.timeoutNanoseconds = timeout
        self.pauseMaxNanoseconds = min(max(timeout / 8, 1_000_000), 1_000_000_000)
        self.lastProgress = loop.driver.base.now()
        self.end = Deadline.after(options.closeTimeout, from: lastProgress).nanoseconds
        self.last = loop.driver.base.outputState(of: descriptor)
        self.lastQueuedBytes = queuedBytes
    }

    /// Looks once.
    func look(now: UInt64, queuedBytes: Int = 0) -> Look {
        let state = loop.driver.base.outputState(of: descriptor)
        if state != last || queuedBytes != lastQueuedBytes {
            last = state
            lastQueuedBytes = queuedBytes
            lastProgress = now
        }
        let isComplete = (state.unacknowledgedBytes ?? 0) == 0
        if now >= lastProgress &+ timeoutNanoseconds {
            return Look(isComplete: isComplete, failure: .stalled)
        }
        return Look(isComplete: isComplete, failure: now >= end ? .late : nil)
    }
}
