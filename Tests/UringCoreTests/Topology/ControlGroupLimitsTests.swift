import Testing

@testable import UringCore

/// What the files of control groups come to, on machines made of files.
@Suite("ControlGroupLimits")
struct ControlGroupLimitsTests {
    private static let unified = "/sys/fs/cgroup"

    // MARK: Version 2

    @Test func readVersionTwo() throws {
        let root = try FakeRoot(groups: "0::/app\n")
        try root.write("\(Self.unified)/app/cpuset.cpus.effective", "1-2\n")
        try root.write("\(Self.unified)/app/cpu.max", "150000 100000\n")
        try root.write("\(Self.unified)/app/memory.max", "536870912\n")
        let limits = root.limits
        #expect(limits.cpuset?.cpus == [1, 2])
        #expect(limits.cpuset?.source == "/sys/fs/cgroup/app/cpuset.cpus.effective")
        #expect(limits.quota?.cpus == 1.5)
        #expect(limits.quota?.source == "/sys/fs/cgroup/app/cpu.max")
        #expect(limits.memory?.byteCount == 536_870_912)
        #expect(limits.memory?.source == "/sys/fs/cgroup/app/memory.max")
    }

    @Test(arguments: ["/a/b/c", "/a/b", "/a"])
    func takeTheTightestOfTheGroupAndItsAncestors(_ tightest: String) throws {
        let root = try FakeRoot(groups: "0::/a/b/c\n")
        for folder in ["/a/b/c", "/a/b", "/a"] {
            let isTightest = folder == tightest
            try root.write(
                "\(Self.unified)\(folder)/cpu.max",
                isTightest ? "20000 10000\n" : "300000 100000\n"
            )
            try root.write("\(Self.unified)\(folder)/memory.max", isTightest ? "1000\n" : "max\n")
        }
        let limits = root.limits
        #expect(limits.quota?.source == "/sys/fs/cgroup\(tightest)/cpu.max")
        #expect(limits.quota?.cpus == 2)
        #expect(limits.memory?.source == "/sys/fs/cgroup\(tightest)/memory.max")
    }

    @Test func takeTheCPUSetOfTheNearestGroupThatHasOne() throws {
        let root = try FakeRoot(groups: "0::/a/b\n")
        try root.write("\(Self.unified)/cpuset.cpus.effective", "0-7\n")
        try root.write("\(Self.unified)/a/cpuset.cpus.effective", "4-5\n")
        #expect(root.limits.cpuset?.cpus == [4, 5])
    }

    // MARK: Version 1

    @Test func readVersionOne() throws {
        let root = try FakeRoot(
            groups: "3:cpuset:/s\n2:cpu:/c\n1:memory:/m\n",
            mounts: ["cpuset", "cpu", "memory"].map { FakeRoot.hierarchy($0) }
        )
        try root.write("/sys/fs/cgroup/cpuset/s/cpuset.effective_cpus", "0,3\n")
        try root.write("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "50000\n")
        try root.write("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n")
        try root.write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "1048576\n")
        let limits = root.limits
        #expect(limits.cpuset?.cpus == [0, 3])
        #expect(limits.quota?.cpus == 0.5)
        #expect(limits.quota?.source == "/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us")
        #expect(limits.memory?.byteCount == 1_048_576)
    }

    @Test func takeTheTightestOfBothVersions() throws {
        let root = try FakeRoot(
            groups: "2:cpu:/\n0::/\n",
            mounts: [FakeRoot.hierarchy("cpu"), FakeRoot.unified(at: "/sys/fs/cgroup/unified")]
        )
        try root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n")
        try root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
        try root.write("/sys/fs/cgroup/unified/cpu.max", "200000 100000\n")
        #expect(root.limits.quota?.cpus == 2)
    }

    @Test(arguments: ["-1\n", "0\n", "", "x\n"])
    func areNoneForALegacyQuotaThatIsNone(_ quota: String) throws {
        let root = try FakeRoot(groups: "2:cpu:/\n", mounts: [FakeRoot.hierarchy("cpu")])
        try root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota)
        try root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
        #expect(root.limits.quota == nil)
    }

    @Test(arguments: ["9223372036854771712\n", "-1\n", "", "many\n", "1 2\n"])
    func areNoneForALegacyMemoryLimitThatIsNone(_ limit: String) throws {
        let root = try FakeRoot(groups: "1:memory:/\n", mounts: [FakeRoot.hierarchy("memory")])
        try root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", limit)
        #expect(root.limits.memory == nil)
    }

    // MARK: Nothing to read

    @Test func areNoneWithoutFiles() throws {
        #expect(try FakeRoot().limits == ControlGroupLimits())
        #expect(ControlGroupLimits(root: "/nonexistent") == ControlGroupLimits())
    }

    @Test func areNoneForFilesThatMakeNoSense() throws {
        let root = try FakeRoot()
        try root.write("\(Self.unified)/cpuset.cpus.effective", "\n")
        try root.write("\(Self.unified)/cpu.max", "much\n")
        try root.write("\(Self.unified)/memory.max", "\u{0}\u{FF}")
        #expect(root.limits == ControlGroupLimits())
    }

    @Test func readATableOfMountsOfAnyLength() throws {
        let others = (0..<5_000).map { "\($0) 1 0:\($0) / /mnt/\($0) rw - tmpfs none rw" }
        let root = try FakeRoot(mounts: others + [FakeRoot.unified()])
        try root.write("\(Self.unified)/cpu.max", "200000 100000\n")
        #expect(root.limits.quota?.cpus == 2)
    }
}

/// This machine, whatever it is like.
@Suite("AvailableResources")
struct AvailableResourcesTests {
    @Test func findsThisMachine() {
        let resources = AvailableResources.current()
        #expect(resources.affinity == CoreSelection.allowedCPUs())
        #expect(!resources.allowedCPUs.isEmpty)
        #expect(Set(resources.allowedCPUs).isSubset(of: resources.affinity))
        #expect(resources.nodeOfCPU.values.allSatisfy { $0 >= 0 })
        #expect((resources.lockedMemory.limitBytes ?? 0) >= 0)
        // The kernel keeps the affinity within the cpuset.
        if let cpuset = resources.controlGroup.cpuset {
            #expect(Set(resources.affinity).isSubset(of: cpuset.cpus))
        }
    }

    @Test(arguments: [
        ([0, 1, 2, 3], [1, 2], [1, 2]), ([0, 1], [0, 1, 2, 3], [0, 1]), ([0, 3], [2, 3], [3]),
        ([0, 1], [2, 3], [0, 1]),
    ])
    func allowsTheAffinityWithinTheCPUSet(_ affinity: [Int], _ cpuset: [Int], _ allowed: [Int]) {
        var limits = ControlGroupLimits()
        limits.cpuset = .init(cpus: cpuset, source: "")
        let resources = AvailableResources(affinity: affinity, controlGroup: limits)
        #expect(resources.allowedCPUs == allowed)
    }
}
