internal import CNUMA

/// Which CPUs to use, out of those that this process may use.
///
/// > Thread: Any thread.
public enum CoreSelection: Hashable, Sendable, CustomStringConvertible {
    /// The first of those that are allowed, as many as the CPU quota of the control group pays for.
    case auto
    /// All that are allowed, whatever the quota.
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
            guard let cpus = CPUList.parse(text) else {
                throw reader.error(.cores, text, Self.accepted)
            }
            self = .list(cpus)
        }
    }

    /// The CPUs chosen out of `allowed`; a quota is `CorePlan`'s concern.
    ///
    /// - Throws: `ConfigurationError` when a listed CPU is not among them.
    public func resolve(allowed: [Int]) throws(ConfigurationError) -> [Int] {
        guard case .list(let cpus) = self else { return allowed }
        for cpu in cpus where !allowed.contains(cpu) {
            throw ConfigurationError(
                variable: Setting.cores.rawValue,
                value: description,
                accepted: "CPUs that this process may use: \(CPUList.text(of: allowed))"
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
        case .list(let cpus): CPUList.text(of: cpus)
        }
    }
}
