/// Commands of strace(1), to be put before the program that they look at.
enum Strace {
    /// Runs a program whose calls of `call` go wrong as `injection` says.
    ///
    /// With `-D` strace is a grandchild, so that signals and the status are the program's own.
    static func injecting(_ call: String, _ injection: String) -> [String] {
        [
            "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)",
            "-e", "inject=\(call):\(injection)", "-e", "signal=none",
        ]
    }
}
