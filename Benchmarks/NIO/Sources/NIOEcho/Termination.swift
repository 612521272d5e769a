import Glibc

/// SIGTERM and SIGINT, taken by whoever waits for them.
struct Termination {
    private var signals = sigset_t()

    /// Blocks both in this thread and those it starts from now on; call it before there are any.
    init() {
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Blocks this thread until one of the two arrives.
    func wait() {
        var signals = signals
        var signal: Int32 = 0
        sigwait(&signals, &signal)
    }
}
