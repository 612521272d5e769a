internal import Glibc

/// Standard input, output and error, as whoever started the tool left them.
enum StandardStreams {
    /// Makes them safe to write to.
    ///
    /// > Thread: Before start only.
    static func prepare() {
        ignoreBrokenPipes()
    }

    /// A reader that is gone is no reason to end: the log of a `tee` that took the same Ctrl-C, say.
    ///
    /// The supervisor does it too, but lines are written before it runs.
    private static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
