/// The control groups that this process is in (cgroups(7)), as folders to read limits from.
///
/// Version 1 has a hierarchy for each controller, version 2 one for all, and many machines have
/// both: all that are mounted are looked at.
///
/// > Thread: Any thread.
struct ControlGroup {
    /// The versions of the interface, whose files differ in names and forms.
    enum Version {
        case v1
        case v2
    }

    /// The folders that hold for a process in one hierarchy.
    struct Lineage {
        let version: Version
        /// The process's own group first, then its ancestors up to the mount.
        let folders: [String]
    }

    /// A line of proc_pid_cgroup(5).
    private struct Membership {
        /// Empty for version 2.
        let controllers: [Substring]
        let path: String
    }

    private let memberships: [Membership]
    private let mounts: MountTable

    /// Puts together what the kernel tells of groups (`/proc/self/cgroup`) and of mounts
    /// (`/proc/self/mountinfo`).
    init(groups: String, mounts: MountTable) {
        self.mounts = mounts
        memberships = groups.split(separator: "\n").compactMap { line in
            let fields = line.split(
                separator: ":",
                maxSplits: 2,
                omittingEmptySubsequences: false
            )
            guard fields.count == 3 else { return nil }
            return Membership(
                controllers: fields[1].split(separator: ","),
                path: String(fields[2])
            )
        }
    }

    /// Where the limits of a controller are, version 1 before version 2; empty where it is not
    /// mounted.
    func lineages(of controller: String) -> [Lineage] {
        let first = memberships.filter { $0.controllers.contains { $0 == controller } }.compactMap {
            lineage(.v1, of: $0) { $0.kind == "cgroup" && $0.options.contains(controller) }
        }
        let second = memberships.filter(\.controllers.isEmpty).compactMap {
            lineage(.v2, of: $0) { $0.kind == "cgroup2" }
        }
        return first + second
    }

    private func lineage(
        _ version: Version,
        of membership: Membership,
        in isHierarchy: (MountTable.Mount) -> Bool
    ) -> Lineage? {
        let candidates = mounts.mounts.filter(isHierarchy)
        for mount in candidates {
            guard let path = Self.path(membership.path, below: mount.root) else { continue }
            return Lineage(version: version, folders: Self.folders(from: mount.point, to: path))
        }
        // A container may see the mount of its own group under a name that its path doesn't tell.
        return candidates.first.map { Lineage(version: version, folders: [$0.point]) }
    }

    /// The names that lead from a mount's root to a group; nil when they do not.
    ///
    /// A group outside of the process's own namespace is written with `..`.
    private static func path(_ path: String, below root: String) -> [Substring]? {
        let names = path.split(separator: "/")
        let above = root.split(separator: "/")
        guard names.starts(with: above), !names.contains("..") else { return nil }
        return Array(names.dropFirst(above.count))
    }

    private static func folders(from point: String, to names: [Substring]) -> [String] {
        var folders = [point]
        for name in names { folders.append((folders.last ?? point) + "/" + name) }
        return folders.reversed()
    }
}
