import Glibc
import Testing

/// What the tool makes of real control groups.
@Suite("uringcore info in a control group")
struct InfoLimitTests {
    private static let cpuCount = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    @Test(
        .enabled(if: ControlGroupFolder.isAvailable("cpu") && cpuCount > 1),
        arguments: [(50_000, "0.5", 1), (150_000, "1.5", 2)]
    )
    func countsAFractionOfCPUsUpAndDoesNotPin(_ quota: Int, _ cpus: String, _ count: Int) throws {
        let group = try ControlGroupFolder.quota(microseconds: quota)
        let info = try InfoOutput(wrapper: group.wrapper)
        #expect(info["cgroup.quota.cpus"] == cpus)
        #expect(info["cores.shards"] == "\(count)")
        #expect(info["pinning.isOn"] == "false")
        #expect(info["pinning.why"]?.hasPrefix("quota \(cpus) is a fraction") == true)
    }

    @Test(.enabled(if: ControlGroupFolder.isAvailable("cpu") && cpuCount > 1))
    func takesTheTightestOfNestedGroups() throws {
        let group = try ControlGroupFolder.quota(microseconds: 100_000)
        let inner = try group.nested([("cpu.cfs_quota_us", "-1")])
        let info = try InfoOutput(wrapper: inner.wrapper)
        #expect(info["cgroup.quota.cpus"] == "1.0")
        #expect(info["cores.shards"] == "1")
        #expect(info["pinning.isOn"] == "true")
        #expect(info["cores.why"]?.contains("quota 1 in ") == true)
    }

    @Test(.enabled(if: ControlGroupFolder.isAvailable("cpuset") && cpuCount > 1))
    func keepsToACPUSet() throws {
        let cpu = Self.cpuCount - 1
        let group = try ControlGroupFolder(
            "cpuset",
            [("cpuset.cpus", "\(cpu)"), ("cpuset.mems", "0")]
        )
        let info = try InfoOutput(wrapper: group.wrapper)
        #expect(info.list("cgroup.cpuset.cpus") == ["\(cpu)"])
        #expect(info.list("cores.cpus") == ["\(cpu)"])
        #expect(info["cores.shards"] == "1")
    }

    @Test(.enabled(if: ControlGroupFolder.isAvailable("memory")))
    func fitsThePoolsIntoTheMemory() throws {
        let limit = 64 << 20
        let group = try ControlGroupFolder("memory", [("memory.limit_in_bytes", "\(limit)")])
        let variables = ["URINGCORE_CORE_COUNT": "8", "URINGCORE_PIN": "off"]
        let info = try InfoOutput(wrapper: group.wrapper, environment: variables)
        #expect(info["cgroup.memory.bytes"] == "\(limit)")
        #expect(info["cores.shards"] == "8")
        #expect(info["buffers.count"] == "128")
        #expect(info["buffers.why"]?.contains("\(limit) bytes") == true)
    }
}
