import Glibc

/// What the tool asks of the process.
enum Environment {
    /// SIMULATION_SEEDS, when it is a number.
    static var seedCount: UInt64? { number("SIMULATION_SEEDS") }

    /// SIMULATION_TRACE: how many events a failure shows.
    static var traceMax: Int? { number("SIMULATION_TRACE").map { Int(clamping: $0) } }

    private static func number(_ name: String) -> UInt64? {
        // Safety: libc's string is read at once.
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: text))
    }

    static func exit(_ status: Int32) {
        Glibc.exit(status)
    }
}
