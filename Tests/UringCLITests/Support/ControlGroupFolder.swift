import Glibc
import Testing

/// A control group of version 1, made for a test and removed after it.
///
/// Version 1 is what this can make without taking controllers from anyone else.
final class ControlGroupFolder {
    private let folder: String
    /// Removed after the groups inside it.
    private let parent: ControlGroupFolder?

    /// Makes a group in the hierarchy of a controller, with these files set.
    convenience init(_ controller: String, _ settings: [(file: String, value: String)]) throws {
        try self.init(at: "/sys/fs/cgroup/\(controller)/uringcore-tests-\(getpid())", settings)
    }

    /// Makes a group inside this one.
    func nested(_ settings: [(file: String, value: String)]) throws -> ControlGroupFolder {
        try ControlGroupFolder(at: "\(folder)/inner", inside: self, settings)
    }

    private init(
        at folder: String,
        inside parent: ControlGroupFolder? = nil,
        _ settings: [(file: String, value: String)]
    ) throws {
        self.folder = folder
        self.parent = parent
        try #require(mkdir(folder, 0o755) == 0, "\(folder) can be made")
        for setting in settings {
            try #require(Self.write(setting.value, to: "\(folder)/\(setting.file)"))
        }
    }

    deinit {
        rmdir(folder)
    }

    /// A group of the cpu controller whose processes may use this much of every 100 ms.
    static func quota(microseconds: Int) throws -> ControlGroupFolder {
        try ControlGroupFolder(
            "cpu",
            [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "\(microseconds)")]
        )
    }

    /// What a command is started with to run inside.
    var wrapper: [String] {
        ["sh", "-c", "echo $$ > \(folder)/cgroup.procs && exec \"$@\"", "sh"]
    }

    /// A hierarchy of this controller is mounted, and groups may be made in it.
    static func isAvailable(_ controller: String) -> Bool {
        Programs.isRoot && access("/sys/fs/cgroup/\(controller)/cgroup.procs", W_OK) == 0
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return Glibc.write(file, text, text.utf8.count) == text.utf8.count
    }
}
