import Glibc

/// What the tool asks of the process.
enum Environment {
    /// SIMULATION_SEEDS, when it is a number.
    static var seedCount: UInt64? {
        // Safety: libc's string is read at once.
        guard let text = unsafe getenv("SIMULATION_SEEDS") else { return nil }
        return unsafe UInt64(String(cString: text))
    }

    static func exit(_ status: Int32) {
        Glibc.exit(status)
    }
}
