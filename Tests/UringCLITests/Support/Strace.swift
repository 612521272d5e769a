import Glibc

/// Commands of strace(1), to be put before the program that they look at.
enum Strace {
    /// Runs a program whose calls of `call` go wrong as `injection` says.
    ///
    /// With `-D` strace is a grandchild, so that signals and the status are the program's own.
    static func injecting(_ call: String, _ injection: String) -> [String] {
        [
            "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)",
            "-e", "inject=\(call):\(injection)", "-e", "signal=none",
        ] + withoutLeakSearch
    }

    /// LeakSanitizer does not work under ptrace(2): where the tests are sanitized, it does not look there.
    private static var withoutLeakSearch: [String] {
        guard let options = getenv("ASAN_OPTIONS") else { return [] }
        return ["-E", "ASAN_OPTIONS=\(String(cString: options)):detect_leaks=0"]
    }
}
