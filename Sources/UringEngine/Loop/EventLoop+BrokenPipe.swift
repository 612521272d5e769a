internal import CUring

/// SIGPIPE, on the thread of a loop that writes to pipes.
extension EventLoop {
    /// Blocks it on this thread: an operation of the ring raises it there as write(2) does (seen on
    /// Linux 6.18).
    func guardAgainstBrokenPipes() {
        guard !guardsBrokenPipe else { return }
        guardsBrokenPipe = true
        cu_guard_broken_pipe()
    }

    /// Nothing is written any more.
    func endGuardAgainstBrokenPipes() {
        guard guardsBrokenPipe else { return }
        guardsBrokenPipe = false
        cu_unguard_broken_pipe()
    }
}
