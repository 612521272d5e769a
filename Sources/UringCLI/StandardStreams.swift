internal import Glibc

/// Standard input, output and error, as whoever started the tool left them.
enum StandardStreams {
    /// Makes them safe to write to.
    ///
    /// > Thread: Before start only.
    static func prepare() {
        occupy()
        ignoreBrokenPipes()
    }

    /// Opens what is closed: else the next sockets and rings get these numbers, and log lines go into
    /// them.
    private static func occupy() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is the one that is closed. Where there is no /dev, writes to a
            // folder fail, which does as well.
            // Safety: open(2) reads the paths during the calls.
            if unsafe open("/dev/null", O_RDWR) < 0 { _ = unsafe open("/", O_RDONLY) }
        }
    }

    /// A reader that is gone is no reason to end: the log of a `tee` that took the same Ctrl-C, say.
    ///
    /// The supervisor does it too, but lines are written before it runs.
    private static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
