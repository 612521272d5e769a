internal import CNUMA

/// Which CPUs to use, out of those that this process may use.
///
/// > Thread: Any thread.
public enum CoreSelection: Hashable, Sendable, CustomStringConvertible {
    /// The runtime chooses; today that is all that are allowed.
    case auto
    /// All that are allowed.
    case all
    /// These, in ascending order.
    case list([Int])

    private static let accepted = "auto, all, or a list of CPUs such as 0-3,8"

    init(_ reader: SettingReader) throws(ConfigurationError) {
        guard let text = reader.environment[Setting.cores.rawValue] else {
            self = .auto
            return
        }
        switch text {
        case "auto": self = .auto
        case "all": self = .all
        default:
            guard let cpus = Self.parse(text) else {
                throw reader.error(.cores, text, Self.accepted)
            }
            self = .list(cpus)
        }
    }

    /// Reads `0-3,8`; nil for anything else.
    private static func parse(_ text: String) -> [Int]? {
        var cpus: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(bounds.count),
                let first = SettingReader.parse(String(bounds[0])),
                let last = SettingReader.parse(String(bounds[bounds.count - 1])), first <= last,
                last < Int(CN_CPUS_MAX)
            else { return nil }
            cpus.formUnion(first...last)
        }
        return cpus.sorted()
    }

    /// The CPUs chosen out of `allowed`.
    ///
    /// - Throws: `ConfigurationError` when a listed CPU is not among them.
    public func resolve(allowed: [Int]) throws(ConfigurationError) -> [Int] {
        guard case .list(let cpus) = self else { return allowed }
        for cpu in cpus where !allowed.contains(cpu) {
            throw ConfigurationError(
                variable: Setting.cores.rawValue,
                value: description,
                accepted: "CPUs that this process may use: \(Self.text(of: allowed))"
            )
        }
        return cpus
    }

    /// The CPUs that this thread may run on (sched_getaffinity(2)), ascending.
    public static func allowedCPUs() -> [Int] {
        var cpus = [Int32](repeating: 0, count: Int(CN_CPUS_MAX))
        // Safety: at most `count` numbers are written during the call.
        let count = unsafe cn_allowed_cpus(&cpus, Int32(cpus.count))
        return count > 0 ? cpus[..<Int(count)].map(Int.init) : [0]
    }

    /// The way it is written in the environment.
    public var description: String {
        switch self {
        case .auto: "auto"
        case .all: "all"
        case .list(let cpus): Self.text(of: cpus)
        }
    }

    /// Neighbours are written as a range from three on; `cpus` are ascending.
    private static func text(of cpus: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for cpu in cpus {
            if let last = runs.last, cpu == last.upperBound + 1 {
                runs[runs.count - 1] = last.lowerBound...cpu
            } else {
                runs.append(cpu...cpu)
            }
        }
        return runs.map { run in
            switch run.count {
            case 1: "\(run.lowerBound)"
            case 2: "\(run.lowerBound),\(run.upperBound)"
            default: "\(run.lowerBound)-\(run.upperBound)"
            }
        }.joined(separator: ",")
    }
}
