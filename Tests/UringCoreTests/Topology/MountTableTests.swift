import Testing

@testable import UringCore

/// The kernel's table of mounts.
@Suite("MountTable")
struct MountTableTests {
    private func mounts(_ lines: String...) -> [MountTable.Mount] {
        MountTable(lines.joined(separator: "\n")).mounts
    }

    @Test(arguments: ["", "shared:1 ", "shared:1 master:2 propagate_from:3 "])
    func readsALineWithAnyOptionalFields(_ optional: String) {
        let line =
            "36 31 0:32 / /sys/fs/cgroup/cpu rw,relatime \(optional)- cgroup none rw,cpu,cpuacct"
        #expect(
            mounts(line) == [
                MountTable.Mount(
                    root: "/",
                    point: "/sys/fs/cgroup/cpu",
                    kind: "cgroup",
                    options: ["rw", "cpu", "cpuacct"]
                )
            ]
        )
    }

    @Test(arguments: [
        ("/a\\040b", "/a b"), ("/a\\134b", "/a\\b"), ("/a\\011\\012", "/a\t\n"), ("/a\\", "/a\\"),
        ("/a\\04", "/a\\04"), ("/a\\999", "/a\\999"), ("/\\303\\251", "/é"),
    ])
    func decodesPlaces(_ written: String, _ path: String) {
        let mounts = mounts("1 2 0:3 \(written) \(written) rw - cgroup2 none rw")
        #expect(mounts.first?.root == path)
        #expect(mounts.first?.point == path)
    }

    @Test(arguments: [
        "", " ", "x", "1 2 0:3 / /p rw", "1 2 0:3 / /p rw -", "1 2 0:3 / /p rw - cgroup",
        "1 2 0:3 / /p rw - cgroup none", "1 2 0:3 / - cgroup none rw rw",
    ])
    func skipsALineOfAnotherForm(_ line: String) {
        #expect(mounts(line, "1 2 0:3 / /p rw - cgroup2 none rw").map(\.point) == ["/p"])
    }
}
