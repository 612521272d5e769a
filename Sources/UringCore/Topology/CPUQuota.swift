/// How much time of all CPUs together a control group may use.
///
/// > Thread: Any thread.
package struct CPUQuota: Hashable, Sendable {
    /// The time in each period, in microseconds, on all CPUs together.
    package let quotaMicroseconds: Int
    /// The length of a period, in microseconds.
    package let periodMicroseconds: Int
    /// The file that says so.
    package let source: String

    /// Describes a quota; nil for one that cannot be: no time, or no period.
    init?(quotaMicroseconds: Int, periodMicroseconds: Int, source: String) {
        guard quotaMicroseconds > 0, periodMicroseconds > 0 else { return nil }
        self.quotaMicroseconds = quotaMicroseconds
        self.periodMicroseconds = periodMicroseconds
        self.source = source
    }

    /// Reads version 2's `cpu.max`: `150000 100000`; nil for `max`.
    init?(max text: String, source: String) {
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]) else {
            return nil
        }
        self.init(quotaMicroseconds: quota, periodMicroseconds: period, source: source)
    }

    /// The CPUs that it comes to.
    package var cpus: Double { Double(quotaMicroseconds) / Double(periodMicroseconds) }

    /// The same, rounded up: how many threads it keeps busy.
    package var threadCount: Int {
        let (whole, rest) = quotaMicroseconds.quotientAndRemainder(dividingBy: periodMicroseconds)
        return whole + (rest > 0 ? 1 : 0)
    }

    /// It is no whole number of CPUs.
    package var isFractional: Bool { quotaMicroseconds % periodMicroseconds != 0 }
}

extension CPUQuota: CustomStringConvertible {
    /// The CPUs, with at most two decimals: `quota 1.5`.
    package var description: String {
        let rounded = (cpus * 100).rounded() / 100
        let isWhole = rounded == rounded.rounded() && rounded < 1e15
        return "quota \(isWhole ? "\(Int(rounded))" : "\(rounded)")"
    }
}
