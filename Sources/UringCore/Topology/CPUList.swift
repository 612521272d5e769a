internal import CNUMA

/// Lists of CPUs as people and the kernel write them: `0-3,8` (cpuset(7), "List format").
///
/// > Thread: Any thread.
package enum CPUList {
    /// Reads a list; nil for anything else, an empty text among it.
    ///
    /// - Returns: the CPUs in ascending order, each once.
    static func parse(_ text: some StringProtocol) -> [Int]? {
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

    /// Writes a list; neighbours become a range from three on.
    ///
    /// - Parameter cpus: in ascending order.
    /// - Returns: a text that `parse` reads, unless there are none.
    package static func text(of cpus: [Int]) -> String {
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
