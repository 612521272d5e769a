/// What the control groups leave of the machine.
///
/// The tightest of a group and its ancestors holds. A file that is missing or does not read as it
/// should limits nothing: which files there are depends on the kernel and on what is mounted.
///
/// > Thread: Any thread.
package struct ControlGroupLimits: Hashable, Sendable {
    /// CPUs, and the file that names them.
    package struct CPUSet: Hashable, Sendable {
        /// In ascending order.
        package let cpus: [Int]
        /// The file that says so.
        package let source: String
    }

    /// A number of bytes, and the file that names it.
    package struct Memory: Hashable, Sendable {
        /// The most bytes that the group's processes may use.
        package let byteCount: Int
        /// The file that says so.
        package let source: String
    }

    /// The CPUs of the group's cpuset; nil without one.
    package var cpuset: CPUSet?
    /// The CPU time; nil without a limit.
    package var quota: CPUQuota?
    /// The memory; nil without a limit.
    package var memory: Memory?

    /// Describes groups without a limit.
    init() {}

    /// Reads the limits of this process.
    ///
    /// - Parameter root: A folder in place of `/`, for tests.
    package init(root: String = "") {
        let files = LimitFiles(root: root)
        let group = ControlGroup(
            groups: files.text(at: "/proc/self/cgroup") ?? "",
            mounts: MountTable(files.text(at: "/proc/self/mountinfo") ?? "")
        )
        cpuset = Self.cpuset(group.lineages(of: "cpuset"), files)
        quota = Self.quota(group.lineages(of: "cpu"), files)
        memory = Self.memory(group.lineages(of: "memory"), files)
    }

    /// The effective set already is the intersection with the ancestors' sets; a version 2 group
    /// without the controller has no file, and its parent's holds.
    private static func cpuset(
        _ lineages: [ControlGroup.Lineage],
        _ files: LimitFiles
    ) -> CPUSet? {
        let sets = lineages.compactMap { lineage -> CPUSet? in
            let name =
                switch lineage.version {
                case .v1: "cpuset.effective_cpus"
                case .v2: "cpuset.cpus.effective"
                }
            return lineage.folders.lazy.compactMap { folder -> CPUSet? in
                let source = "\(folder)/\(name)"
                guard let cpus = files.word(at: source).flatMap(CPUList.parse) else { return nil }
                return CPUSet(cpus: cpus, source: source)
            }.first
        }
        return sets.min { $0.cpus.count < $1.cpus.count }
    }

    private static func quota(_ lineages: [ControlGroup.Lineage], _ files: LimitFiles) -> CPUQuota?
    {
        let quotas = lineages.flatMap { lineage in
            lineage.folders.compactMap { folder -> CPUQuota? in
                switch lineage.version {
                case .v1: legacyQuota(folder, files)
                case .v2:
                    files.text(at: "\(folder)/cpu.max").flatMap {
                        CPUQuota(max: $0, source: "\(folder)/cpu.max")
                    }
                }
            }
        }
        return quotas.min { $0.cpus < $1.cpus }
    }

    /// Version 1: two files, and -1 for no quota.
    private static func legacyQuota(_ folder: String, _ files: LimitFiles) -> CPUQuota? {
        let source = "\(folder)/cpu.cfs_quota_us"
        guard let quota = files.word(at: source).flatMap({ Int($0) }),
            let period = files.word(at: "\(folder)/cpu.cfs_period_us").flatMap({ Int($0) })
        else { return nil }
        return CPUQuota(quotaMicroseconds: quota, periodMicroseconds: period, source: source)
    }

    private static func memory(_ lineages: [ControlGroup.Lineage], _ files: LimitFiles) -> Memory? {
        let limits = lineages.flatMap { lineage in
            let name =
                switch lineage.version {
                case .v1: "memory.limit_in_bytes"
                case .v2: "memory.max"
                }
            return lineage.folders.compactMap { folder -> Memory? in
                let source = "\(folder)/\(name)"
                guard let count = files.word(at: source).flatMap({ Int($0) }),
                    (0..<unlimitedBytes).contains(count)
                else { return nil }
                return Memory(byteCount: count, source: source)
            }
        }
        return limits.min { $0.byteCount < $1.byteCount }
    }

    /// Version 1 writes "no limit" as the largest whole number of pages; an exbibyte is none either.
    private static let unlimitedBytes = 1 << 60
}

/// The files of the kernel below a folder that stands for `/`.
private struct LimitFiles {
    let root: String

    func text(at path: String) -> String? { SmallFile.text(at: root + path) }

    /// The only word of a file; nil where there are none or several.
    func word(at path: String) -> Substring? {
        let words = text(at: path)?.split(whereSeparator: \.isWhitespace) ?? []
        return words.count == 1 ? words[0] : nil
    }
}
