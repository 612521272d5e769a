import Foundation

@testable import UringCore

/// A folder in place of `/`, with the files of the kernel that a test wants.
final class FakeRoot {
    let path: String

    init(groups: String = "0::/\n", mounts: [String] = [FakeRoot.unified()]) throws {
        path = FileManager.default.temporaryDirectory.path + "/uringcore-\(UUID().uuidString)"
        try write("/proc/self/cgroup", groups)
        try write("/proc/self/mountinfo", mounts.joined(separator: "\n") + "\n")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file as the kernel would show it, with the folders above it.
    func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: path + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
    }

    /// What a process of this machine is limited to.
    var limits: ControlGroupLimits {
        // The files go with this object.
        withExtendedLifetime(self) { ControlGroupLimits(root: path) }
    }

    /// The mount of version 2.
    static func unified(at point: String = "/sys/fs/cgroup") -> String {
        "31 20 0:31 / \(point) rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
    }

    /// The mount of one hierarchy of version 1.
    static func hierarchy(_ controllers: String) -> String {
        "32 20 0:32 / /sys/fs/cgroup/\(controllers) rw shared:9 - cgroup cgroup rw,\(controllers)"
    }
}
