internal import CUring

/// Looking for work before waiting for it.
extension EventLoop {
    /// Polls the driver and the inbox for a while, before the loop parks.
    ///
    /// The inbox does not know of it: a post in the meantime costs its caller no system call, and
    /// the hint shows it here. One that shows too late is seen by `park`, under the lock. A starved
    /// loop does not spin: it waits for buffers from other threads, of which only a wake tells. To
    /// who watches for stalls it counts as parked: it may take longer than a turn may.
    ///
    /// - Returns: Whether there is something to do now, so that the loop must not park.
    func spinFindsWork() throws(IOError) -> Bool {
        guard hasNothingToDo, starved.isEmpty else { return false }
        heartbeat.publish(isParked: true)
        defer { heartbeat.publish(isParked: false) }
        let start = driver.base.now()
        let end = min(start &+ spinNanoseconds, nextDeadline ?? .max)
        while true {
            if scheduler.mayHavePosts { return true }
            try driver.submitAndWait(.poll)
            if driver.hasUnreadCompletions { return true }
            guard driver.base.now() < end else { return false }
            cu_relax()
        }
    }
}
