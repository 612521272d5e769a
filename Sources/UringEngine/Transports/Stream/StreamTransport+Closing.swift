internal import DequeModule

/// The end of a stream: a protocol, never a bare close(2).
///
/// 1. refuse writes, drop parked input, flush; without progress for `flushTimeout`, or not done
/// within `closeTimeout`: RST;
/// 2. shut the output down: FIN; `connectionLost` now;
/// 3. unless the peer has ended too: discard what it still sends, so that no RST destroys what it
/// has not read;
/// 4. cancel what is left, reap to zero; 5. close(2).
extension StreamTransport {
    /// Closes after everything that was written has been sent.
    ///
    /// Nothing is delivered any more.
    ///
    /// > Thread: On-loop only.
    public func close() {
        loop.checkOnLoop()
        guard phase == .open else { return }
        phase = .flushing
        dropParked()
        isReadingPaused = false
        if !isStarved { armReceive(waitForReadiness: false) }
        progress = OutputProgress(loop: loop, descriptor: descriptor, options: options)
        loop.markDirty(self)
        if !writes.isEmpty { watchProgress() }
    }

    /// Ends at once: what was not sent is lost, and the peer gets a reset.
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
            dropParked()
            clearTimers()
            loop.close(slot, mode: .reset)
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

    private func dropParked() {
        while let bytes = parked.popFirst() { parkedBytes -= bytes.pinnedBytes }
    }

    // MARK: Flushing

    /// Looks for progress in a while.
    private func watchProgress() {
        guard let progress else { return }
        let job = Job.target(self, tag: StreamJob.progress.rawValue)
        let now = loop.driver.base.now()
        progressTimer = loop.addTimer(at: now &+ progress.pauseMaxNanoseconds, job)
    }

    func checkProgress() {
        guard phase == .flushing, slot != .none else { return }
        guard let failure = progress?.look(now: loop.driver.base.now()).failure else {
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

    /// Everything was handed to the kernel: FIN, tell the handler, and leave the rest to the table.
    func finishFlush() {
        let slot = slot
        if !isOutputShut, let errno = loop.driver.base.shutdown(descriptor, .output) {
            // ENOTCONN: the peer reset before; there is nobody to send a FIN to.
            return end(
                errno == .notConnected
                    ? nil : IOError(.shutdown, descriptor: descriptor, errno: errno)
            )
        }
        isOutputShut = true
        let rest = LingeringStream(
            loop: loop,
            descriptor: descriptor,
            options: options,
            progress: progress
                ?? OutputProgress(loop: loop, descriptor: descriptor, options: options)
        )
        if isStarved { cancelReceive() }
        let receive = receiveToken
        receiveToken = nil
        // First: the queued call keeps this object alive when the table lets go of it.
        scheduleLoss(nil)
        loop.descriptors.handOver(slot, to: rest)
        rest.start(receive: receive, hasSeenEOF: hasSeenEOF)
    }

    // MARK: The last call

    /// Queues `connectionLost`: never from inside another callback of this handler.
    func scheduleLoss(_ error: IOError?) {
        phase = .lost
        dropParked()
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
