internal import UringCore

/// The measured window, and what comes after it.
extension LoadWorker {
    /// Every worker's connections stand: the window begins at `start`, for all at once.
    func begin(at start: Deadline) {
        guard phase == .waiting else { return }
        loop.callAt(start) { self.beginWindow(at: start) }
    }

    private func beginWindow(at start: Deadline) {
        guard phase == .waiting else { return }
        phase = .measuring
        windowStart = start.nanoseconds
        loop.callAt(Deadline(nanoseconds: windowStart &+ plan.windowNanoseconds)) {
            self.endWindow()
        }
        guard liveCount > 0, !isInterrupted else { return endWindow() }
        guard schedule == nil else { return beginDue() }
        for connection in connections { connection.beginAll(now: loop.now) }
    }

    /// Begins what is due of an open loop, and sets a timer for what is due next.
    private func beginDue() {
        guard phase == .measuring, let schedule else { return }
        let elapsed = loop.now &- windowStart
        while true {
            let connection = connections[nextDue.position]
            let due = schedule.nanoseconds(
                ofMessage: nextDue.message,
                onConnection: connection.number
            )
            guard due < plan.windowNanoseconds else { return }
            guard due <= elapsed else {
                loop.callAt(Deadline(nanoseconds: windowStart &+ due)) { self.beginDue() }
                return
            }
            connection.messageIsDue(now: loop.now)
            nextDue.position += 1
            if nextDue.position == connections.count {
                nextDue = (nextDue.message + 1, 0)
            }
        }
    }

    /// Begins nothing more; what is in flight may come back.
    func endWindow() {
        guard phase == .measuring else { return }
        // First the timetable: what was due within the window counts, sent or not.
        beginDue()
        phase = .draining
        let end = loop.now
        result.windowNanoseconds = end &- windowStart
        for connection in connections { result.unsentRequests += connection.dropBacklog(now: end) }
        loop.callLater(drainLimit) { self.endDrain() }
        finishIfDone()
    }

    /// What did not come back until now never will.
    private func endDrain() {
        guard phase == .draining else { return }
        for connection in connections where connection.inFlightCount > 0 {
            lose(connection, "no answer within \(drainLimit) after the end")
        }
    }

    /// A signal: the window ends now.
    func interrupt() {
        switch phase {
        case .connecting: coordinator.fail("interrupted before the load began")
        case .waiting: isInterrupted = true
        case .measuring: endWindow()
        case .draining, .closing: return
        }
    }
}
