internal import DequeModule

/// The end of an endpoint: what was queued is sent, what is in flight is reaped, then the descriptor is
/// closed; `connectionLost` comes last.
extension DatagramTransport {
    /// Closes after everything that was queued has been sent; what is not within
    /// `DatagramOptions.closeTimeout` is lost.
    ///
    /// Nothing is delivered any more.
    ///
    /// > Thread: On-loop only.
    public func close() {
        loop.checkOnLoop()
        guard phase == .open else { return }
        phase = .flushing
        dropParked()
        cancelReceive()
        removeFile()
        guard !queue.isEmpty else { return finishFlush() }
        let timeout = options.closeTimeout.clampedNanoseconds
        let (sum, isBeyond) = loop.driver.base.now().addingReportingOverflow(timeout)
        let job = Job.target(self, tag: DatagramJob.close.rawValue)
        closeTimer = loop.addTimer(at: isBeyond ? .max : sum, job)
    }

    /// Ends at once: what was not sent is lost.
    ///
    /// > Thread: On-loop only.
    public func abort() {
        loop.checkOnLoop()
        end(nil)
    }

    func finishFlush() {
        guard phase == .flushing else { return }
        beginEnding(nil)
    }

    /// Ends with `error` for `connectionLost`, after everything in flight was reaped.
    func end(_ error: IOError?) {
        switch phase {
        case .open:
            removeFile()
            beginEnding(error)
        case .flushing: beginEnding(error)
        case .ending, .lost: return
        }
    }

    private func beginEnding(_ error: IOError?) {
        phase = .ending
        lossError = error
        dropParked()
        clearTimers()
        loop.close(slot, mode: .orderly)
    }

    private func clearTimers() {
        for timer in [retryTimer, receiveTimer, closeTimer] {
            if let timer { loop.cancelTimer(timer) }
        }
        retryTimer = nil
        receiveTimer = nil
        closeTimer = nil
    }

    private func closeIsLate() {
        closeTimer = nil
        end(
            IOError(
                .close,
                descriptor: descriptor,
                reason: .deadlineExceeded,
                detail: "no room for \(options.closeTimeout); \(queue.count) datagrams lost"
            )
        )
    }

    /// Queues `connectionLost`: never from inside another callback of this handler.
    func scheduleLoss() {
        phase = .lost
        queue.removeAll()
        clearTimers()
        let error = lossError
        let whenClosed = whenClosed
        self.whenClosed = nil
        loop.ready.append(
            .closure { [self] in
                whenClosed?()
                letGoOfHandler()?.connectionLost(self, error: error)
            }
        )
    }
}

/// The internal jobs of an endpoint, as tags.
enum DatagramJob: UInt8 {
    case deliverParked
    case retrySend
    case retryReceive
    case close
}

extension DatagramTransport: JobTarget {
    /// Runs one of the endpoint's own jobs; the tag is a `DatagramJob`.
    package func runJob(tag: UInt8) {
        switch DatagramJob(rawValue: tag) {
        case .deliverParked: deliverParked()
        case .retrySend: retrySend()
        case .retryReceive: retryReceive()
        case .close: closeIsLate()
        case nil: preconditionFailure("an endpoint's jobs carry its own tags")
        }
    }
}
