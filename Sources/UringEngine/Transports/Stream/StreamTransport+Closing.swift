internal import DequeModule

/// The end of a stream: a protocol, never a bare close(2).
///
/// 1. refuse writes, drop parked input, flush; without progress for `flushTimeout`, or not done
/// within `closeTimeout`: RST;
/// 2. shut the output down: FIN; `connectionLost` now;
/// 3. unless the peer has ended too: discard what it still sends, so that no RST destroys what it
/// has not read (TCP), or what it has sent, so that it sees no ECONNRESET (Unix);
/// 4. cancel what is left, reap to zero; 5. close(2).
extension StreamTransport {
    /// Closes after everything that was written has been sent.
    ///
    /// Nothing is delivered any more. A Unix socket has no way to tell its peer that something is
    /// missing: after a flush that was given up, it sees the end of the stream as after any other.
    ///
    /// > Thread: On-loop only.
    public func close() {
        loop.checkOnLoop()
        guard phase == .open else { return }
        phase = .flushing
        dropParked()
        isReadingPaused = false
        armReceive(waitForReadiness: false)
        progress = makeProgress()
        loop.markDirty(self)
        if !writes.isEmpty { watchProgress() }
    }

    /// Ends at once: what was not sent is lost, and the peer gets a reset.
    ///
    /// The peer of a Unix socket gets none: it sees the end of the stream, or ECONNRESET when
    /// something that it sent was not read.
    ///
    /// > Thread: On-loop only.
    public func abort() {
        loop.checkOnLoop()
        end(nil)
    }

    /// Ends with `error` for `connectionLost`, after everything in flight was reaped.
    func end(_ error: IOError?) {
        switch phase {
        case .open, .flushing:
            phase = .ending
            lossError = error
            // A peer that says something and resets has said it, as with read(2).
            if error?.errno == nil || !isReadByHand { dropParked() }
            clearTimers()
            // The kernel would read until the peer has acknowledged, which it may never do.
            if zeroCopyBytesMin != .max || sentBlocks != nil {
                loop.driver.base.disconnect(descriptor)
            }
            loop.close(slot, mode: kind.abortMode)
        case .ending, .lost: return
        }
    }

    /// Ends with `.deadlineExceeded` unless it ended before; nil takes the deadline away.
    ///
    /// > Thread: On-loop only.
    public func setDeadline(_ deadline: Deadline?) {
        loop.checkOnLoop()
        clearDeadline()
        guard let deadline, slot != .none, !isClosing else { return }
        let job = Job.target(self, tag: StreamJob.deadline.rawValue)
        deadlineTimer = loop.addTimer(at: deadline.nanoseconds, job)
    }

    func clearDeadline() {
        guard let timer = deadlineTimer else { return }
        deadlineTimer = nil
        loop.cancelTimer(timer)
    }

    private func clearTimers() {
        clearDeadline()
        for timer in [progressTimer, retryTimer] {
            if let timer { loop.cancelTimer(timer) }
        }
        progressTimer = nil
        retryTimer = nil
    }

    /// Drops what was received and not delivered.
    package func dropParked() {
        while let bytes = parked.popFirst() { parkedBytes -= bytes.pinnedBytes }
    }

    // MARK: Flushing

    private func makeProgress() -> OutputProgress {
        OutputProgress(
            loop: loop,
            descriptor: descriptor,
            options: options,
            queuedBytes: visiblyQueuedBytes
        )
    }

    /// Looks for progress in a while.
    private func watchProgress() {
        guard let progress else { return }
        let job = Job.target(self, tag: StreamJob.progress.rawValue)
        let now = loop.driver.base.now()
        progressTimer = loop.addTimer(at: now &+ progress.pauseMaxNanoseconds, job)
    }

    func checkProgress() {
        guard phase == .flushing, slot != .none else { return }
        let now = loop.driver.base.now()
        let look = progress?.look(now: now, queuedBytes: visiblyQueuedBytes)
        guard let failure = look?.failure else {
            if kind == .unix, writes.isSending, let sendToken { loop.cancel(sendToken, on: slot) }
            return watchProgress()
        }
        let cause =
            switch failure {
            case .stalled: "the peer took nothing for \(options.flushTimeout)"
            case .late: "the peer had not taken all within \(options.closeTimeout)"
            }
        end(
            IOError(
                .close,
                descriptor: descriptor,
                reason: .deadlineExceeded,
                detail: "\(cause); \(writes.byteCount) bytes lost"
            )
        )
    }

    /// What a Unix stream has still to hand over: all that there is to see of its progress.
    ///
    /// Its kernel counts no acknowledgements, and SIOCOUTQ, which counts the memory of what the
    /// peer has not read, may be the same full buffer at each look. So a look also cancels the send
    /// in flight, which then says how far it came; the flush goes on with the next.
    ///
    /// A pipe tells even less; but its writes are short, so that it needs no cancel.
    private var visiblyQueuedBytes: Int { kind == .tcp ? 0 : writes.byteCount }

    /// Everything was handed to the kernel: FIN, tell the handler, and leave the rest to the table.
    func finishFlush() {
        // The close is all that its other end can be told.
        guard kind != .pipe else { return end(nil) }
        let slot = slot
        if let errno = shutForEnd() {
            // ENOTCONN: the peer reset before; there is nobody to send a FIN to.
            return end(
                errno == .notConnected
                    ? nil : IOError(.shutdown, descriptor: descriptor, errno: errno)
            )
        }
        isOutputShut = true
        if isStarved { cancelReceive() }
        let receive = receiveToken
        receiveToken = nil
        // First: the queued call keeps this object alive when the table lets go of it.
        scheduleLoss(nil)
        leaveRest(on: slot, receive: receive)
    }

    /// Gives the descriptor to the owner that sees it to its end.
    private func leaveRest(on slot: SlotIndex, receive: OperationToken?) {
        switch kind {
        case .tcp:
            let rest = LingeringStream(
                loop: loop,
                descriptor: descriptor,
                options: options,
                progress: progress ?? makeProgress()
            )
            loop.descriptors.handOver(slot, to: rest)
            rest.start(receive: receive, hasSeenEOF: hasSeenEOF, sentBlocks: sentBlocks)
        case .unix:
            let rest = EmptyingStream(loop: loop, descriptor: descriptor)
            loop.descriptors.handOver(slot, to: rest)
            rest.start(receive: receive, hasSeenEOF: hasSeenEOF)
        case .pipe: preconditionFailure("a pipe is closed at once")
        }
    }

    /// Ends the output; of a Unix stream both directions, so that nothing more can come in.
    private func shutForEnd() -> Errno? {
        switch kind {
        case .tcp: isOutputShut ? nil : loop.driver.base.shutdown(descriptor, .output)
        case .unix: loop.driver.base.shutdown(descriptor, .both)
        case .pipe: preconditionFailure("a pipe is closed at once")
        }
    }

    // MARK: The last call

    /// Queues `connectionLost`: never from inside another callback of this handler.
    func scheduleLoss(_ error: IOError?) {
        phase = .lost
        writes.removeAll()
        clearTimers()
        loop.ready.append(
            .closure { [self] in
                letGoOfHandler()?.connectionLost(self, error: error)
                loop.resumeAcceptors()
            }
        )
    }
}

/// The internal jobs of a stream, as tags.
enum StreamJob: UInt8 {
    case deliverParked
    case progress
    case deadline
    case retrySend
}

extension StreamTransport: JobTarget {
    /// Runs one of the stream's own jobs; the tag is a `StreamJob`.
    package func runJob(tag: UInt8) {
        switch StreamJob(rawValue: tag) {
        case .deliverParked: deliverParked()
        case .progress:
            progressTimer = nil
            checkProgress()
        case .deadline:
            deadlineTimer = nil
            end(IOError(.receive, descriptor: descriptor, reason: .deadlineExceeded))
        case .retrySend:
            retryTimer = nil
            condition.remove(.sendPaused)
            if slot != .none { loop.markDirty(self) }
        case nil: preconditionFailure("a stream's jobs carry its own tags")
        }
    }
}
