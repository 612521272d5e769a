/// A tick in two halves, for a kernel in memory that lives on the loop's own thread and therefore
/// cannot block it: what the wait is for happens between the halves.
///
/// The phases and their order are those of `tick`.
extension EventLoop {
    /// Runs a tick up to its wait.
    ///
    /// The driver is told how long it may wait, and returns at once; the loop counts as waiting until
    /// `endTick`.
    ///
    /// > Thread: On-loop only, not while the loop runs. Such a loop does not spin.
    ///
    /// - Throws: an error of `.wait` when the driver refuses to wait, or the loop was shut down.
    package func beginTick() throws(IOError) {
        try enter()
        do throws(IOError) {
            try asCurrent { () throws(IOError) in
                runPhases()
                try beginWait()
            }
        } catch {
            leave()
            throw error
        }
    }

    /// Ends the wait, and reaps.
    ///
    /// - Returns: whether `stop` was called: `runForever` would return now.
    package func endTick() -> Bool {
        asCurrent {
            endWait()
            reap()
            assert(checkInvariants())
        }
        defer { leave() }
        return state == .stopping
    }
}
