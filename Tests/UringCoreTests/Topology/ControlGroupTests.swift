import Testing

@testable import UringCore

/// The folders in which limits are looked for.
@Suite("ControlGroup")
struct ControlGroupTests {
    private func folders(
        _ controller: String,
        groups: String,
        mounts: [String]
    ) -> [[String]] {
        let table = MountTable(mounts.joined(separator: "\n"))
        return ControlGroup(groups: groups, mounts: table).lineages(of: controller).map(\.folders)
    }

    private func v1(_ controllers: String, root: String = "/", point: String) -> String {
        "30 20 0:30 \(root) \(point) rw - cgroup cgroup rw,\(controllers)"
    }

    private func v2(root: String = "/", point: String = "/sys/fs/cgroup") -> String {
        "31 20 0:31 \(root) \(point) rw - cgroup2 cgroup2 rw"
    }

    @Test func areTheGroupAndItsAncestors() {
        let folders = folders("cpu", groups: "0::/a/b\n", mounts: [v2(point: "/cg")])
        #expect(folders == [["/cg/a/b", "/cg/a", "/cg"]])
    }

    @Test func areThoseOfTheControllersOwnHierarchy() {
        let folders = folders(
            "cpu",
            groups: "3:cpuset:/s\n2:cpu,cpuacct:/c\n1:name=systemd:/n\n",
            mounts: [
                v1("cpuset", point: "/cg/cpuset"), v1("cpu,cpuacct", point: "/cg/cpu"),
                v1("name=systemd", point: "/cg/systemd"),
            ]
        )
        #expect(folders == [["/cg/cpu/c", "/cg/cpu"]])
    }

    @Test func areThoseOfBothVersionsWhereBothAreMounted() {
        let folders = folders(
            "memory",
            groups: "4:memory:/m\n0::/u\n",
            mounts: [v1("memory", point: "/cg/memory"), v2(point: "/cg/unified")]
        )
        #expect(folders == [["/cg/memory/m", "/cg/memory"], ["/cg/unified/u", "/cg/unified"]])
    }

    /// A container of version 1 without a namespace of its own sees its group under its full name.
    @Test func startWhereTheMountStarts() {
        let folders = folders(
            "cpu",
            groups: "2:cpu:/docker/x/init\n",
            mounts: [v1("cpu", root: "/docker/x", point: "/cg/cpu")]
        )
        #expect(folders == [["/cg/cpu/init", "/cg/cpu"]])
    }

    @Test(arguments: [
        ("/", "/docker/x"), ("/..", "/"), ("/docker/xy", "/docker/x"), ("/", "/../y"),
    ])
    func areTheMountItselfWhenTheNamesDoNotMeet(_ root: String, _ path: String) {
        let folders = folders(
            "cpu",
            groups: "2:cpu:\(path)\n",
            mounts: [v1("cpu", root: root == "/" ? "/docker/y" : root, point: "/cg/cpu")]
        )
        #expect(folders == [["/cg/cpu"]])
    }

    @Test func neverLeadOutOfTheMount() {
        #expect(folders("cpu", groups: "0::/../y\n", mounts: [v2(point: "/cg")]) == [["/cg"]])
    }

    @Test func areThoseOfTheMountThatHoldsTheGroup() {
        let folders = folders(
            "cpu",
            groups: "0::/a/b\n",
            mounts: [v2(root: "/z", point: "/elsewhere"), v2(point: "/cg")]
        )
        #expect(folders == [["/cg/a/b", "/cg/a", "/cg"]])
    }

    @Test func mayHaveAColonInTheirNames() {
        #expect(folders("cpu", groups: "0::/a:b\n", mounts: [v2(point: "/cg")])[0][0] == "/cg/a:b")
    }

    @Test(arguments: ["", "\n", "x", "2:cpu", "::", "2:cpuset:/x\n"])
    func areNoneWithoutAMembership(_ groups: String) {
        #expect(folders("cpu", groups: groups, mounts: [v1("cpu", point: "/cg/cpu")]) == [])
    }

    @Test func areNoneWithoutAMount() {
        #expect(folders("cpu", groups: "2:cpu:/a\n0::/b\n", mounts: []) == [])
        let wrong = v1("cpuset", point: "/cg/cpuset")
        #expect(folders("cpu", groups: "2:cpu:/a\n", mounts: [wrong]) == [])
    }
}
