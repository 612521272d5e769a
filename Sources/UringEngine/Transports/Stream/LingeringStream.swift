/// What is left of a stream after its FIN: it discards the peer's bytes until the peer ends too,
/// then closes.
///
/// With unread input a close(2) sends RST, and that destroyed what the peer had not read yet in 20
/// of 20 runs. The limits of time and bytes count only once the peer has acknowledged everything: a
/// flat limit gave a slow reader 113 KB of 3.9 MB. Before that the deadlines of the flush hold.
///
/// Whether the peer has acknowledged everything is looked at after a millisecond, then ever more
/// seldom: 8,000 slow peers, looked at each 50 ms, took half a core.
///
/// > Thread: On-loop only.
package final class LingeringStream: DescriptorOwner, JobTarget {
    private enum Tag {
        static let check: UInt8 = 0
    }

    /// Bytes asked for by one discard.
    private static let discardBytes = 1 << 20
    private static let firstPauseNanoseconds: UInt64 = 1_000_000

    private let loop: EventLoop
    private let descriptor: Descriptor
    private let progress: OutputProgress
    private let lingerNanoseconds: UInt64
    private let lingerBytesMax: Int
    private var receive: OperationToken?
    private var isDiscarding = false
    private var discardToken: OperationToken?
    private var hasSeenEOF = false
    private var isEnding = false
    /// The peer has ended; only its acknowledgements are waited for.
    private var isFinished = false
    /// What the kernel still reads.
    private var sentBlocks: SentBlocks?
    private var completeSince: UInt64?
    private var discardedBytes = 0
    private var pauseNanoseconds = LingeringStream.firstPauseNanoseconds
    private var timer: TimerID?

    init(
        loop: EventLoop,
        descriptor: Descriptor,
        options: StreamOptions,
        progress: OutputProgress
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.progress = progress
        self.lingerNanoseconds = options.lingerTimeout.clampedNanoseconds
        self.lingerBytesMax = options.lingerBytesMax
    }

    /// Goes on where the transport left off; `receive` is its armed receive, `sentBlocks` what it sent
    /// without a copy.
    func start(receive: OperationToken?, hasSeenEOF: Bool, sentBlocks: SentBlocks?) {
        self.receive = receive
        self.hasSeenEOF = hasSeenEOF
        self.sentBlocks = sentBlocks
        if hasSeenEOF {
            finish()
            if !isEnding { check() }
            return
        }
        if let receive {
            loop.cancel(receive, on: slot)
        } else {
            discard()
        }
        check()
    }

    /// Drops what the peer sent, and closes at its end.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        if completion.isOf(.send) { return sendEnded(completion) }
        if completion.buffer != .none { loop.pool.drop(loop.pool.lease(completion.buffer)) }
        guard completion.isTerminal || completion.result == 0 else {
            return count(completion.result)
        }
        if completion.isOf(.receive) { receive = nil }
        if completion.isOf(.discard) { isDiscarding = false }
        guard !isEnding, !isFinished else { return }
        if completion.result > 0 { count(completion.result) }
        switch completion.errno {
        case nil:
            if completion.result == 0 { return finish() }
        case .some(.cancelled), .some(.noBuffers), .some(.again), .some(.interrupted):
            // The multishot's end was asked for; the others say to ask again.
            break
        case .some:
            // ECONNRESET and the like: the peer is gone, nothing is left to save.
            return end(.orderly)
        }
        if receive == nil { discard() }
    }

    /// The connection's place is free only now: its descriptor was still in use.
    package override func descriptorClosed() {
        loop.openConnections -= 1
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] {
        [receive, discardToken].compactMap { $0 }
    }

    /// Ends with RST.
    package override func endForShutdown() {
        end(.reset)
    }

    /// The kernel no longer reads a block.
    private func sendEnded(_ completion: Completion) {
        guard completion.isTerminal else { return }
        _ = sentBlocks?.end(completion.token)
        if isFinished, isAcknowledged { end(.orderly) }
    }

    /// Nothing that the kernel was given to read is left.
    private var isAcknowledged: Bool { sentBlocks?.isEmpty ?? true }

    /// Closes, as soon as the kernel reads nothing of ours any more.
    private func finish() {
        isFinished = true
        if isAcknowledged { end(.orderly) }
    }

    private func count(_ result: Int32) {
        guard completeSince != nil, result > 0 else { return }
        discardedBytes += Int(result)
        if discardedBytes > lingerBytesMax { end(isAcknowledged ? .orderly : .reset) }
    }

    private func discard() {
        guard !isDiscarding, !isEnding else { return }
        isDiscarding = true
        let token = loop.begin(.discard, on: slot)
        discardToken = token
        loop.driver.base.discard(token, from: descriptor, byteCount: Self.discardBytes)
    }

    // MARK: Limits

    /// Looks at the limits, and sets the next check.
    private func check() {
        let now = loop.driver.base.now()
        guard let completeSince else {
            let look = progress.look(now: now)
            if look.isComplete {
                completeSince = now
                return check(at: now &+ lingerNanoseconds)
            }
            guard look.failure == nil else { return end(.reset) }
            let pause = min(pauseNanoseconds, progress.pauseMaxNanoseconds)
            pauseNanoseconds = 2 * pause
            return check(at: now &+ pause)
        }
        let deadline = completeSince &+ lingerNanoseconds
        // What is acknowledged is read by nobody: blocks that are left now are left by mistake.
        if now >= deadline { end(isAcknowledged ? .orderly : .reset) } else { check(at: deadline) }
    }

    private func check(at instant: UInt64) {
        timer = loop.addTimer(at: instant, .target(self, tag: Tag.check))
    }

    /// Looks at the limits.
    package func runJob(tag: UInt8) {
        timer = nil
        if !isEnding { check() }
    }

    private func end(_ mode: CloseMode) {
        guard !isEnding else { return }
        isEnding = true
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        // Else the kernel would read until the peer has acknowledged, which it may never do.
        if !isAcknowledged { loop.driver.base.disconnect(descriptor) }
        loop.close(slot, mode: mode)
    }
}
