import Glibc
import Testing

/// What the tool says of the machine and of itself.
@Suite("uringcore info")
struct InfoTests {
    private static let sections = [
        "kernel", "driver", "features", "memlock", "cores", "pinning", "spinning", "numa",
        "cgroup", "buffers", "settings", "warnings",
    ]

    private func run(
        _ arguments: [String] = [],
        wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws -> (tool: ChildProcess, output: String) {
        let command = wrapper + [Programs.uringcore, "info"] + arguments
        let tool = try ChildProcess(command, environment: environment)
        return (tool, try tool.wait())
    }

    @Test func printsASectionForEachThing() throws {
        let (tool, output) = try run()
        #expect(tool.end == .status(0))
        #expect(tool.errorLines.isEmpty)
        let words = output.split(separator: "\n").filter { $0.first != " " }
            .map { String($0.prefix { $0 != " " }) }
        #expect(words == Self.sections)
    }

    @Test func printsJSONWithTheSame() throws {
        let info = try InfoOutput()
        #expect(info.errors.isEmpty)
        #expect(info["kernel.name"] == "Linux")
        #expect(info["kernel.release"]?.isEmpty == false)
        #expect(info["driver.name"] == "io_uring")
        #expect(info["driver.wanted"] == "auto")
        #expect(info["driver.failure"] == "null")
        #expect(info["driver.ring.submissionEntries"] == "256")
        #expect(info.features.keys.contains("defer_taskrun"))
        #expect(info["lockedMemory.limitBytes"] != nil)
        #expect(info.list("cores.cpus").count == Int(info["cores.shards"] ?? ""))
        for path in ["cores.why", "pinning.isOn", "pinning.why", "spinning.isOn", "numa.nodes"] {
            #expect(info.values.keys.contains { $0.hasPrefix(path) }, "\(path)")
        }
        for path in ["cgroup.cpuset", "cgroup.quota", "cgroup.memory", "warnings"] {
            #expect(info.values.keys.contains { $0.hasPrefix(path) }, "\(path)")
        }
        #expect(info["settings.URINGCORE_CORES"] == "auto")
        #expect(info["settings.URINGCORE_BUFFER_COUNT"] == "256")
        #expect(info["settings.URINGCORE_FEATURES_OFF"] == "")
        #expect(info["settingsFromEnvironment"] == "[]")
        #expect(info["buffers.count"] != nil)
    }

    /// The second setting of a ring is the cap.
    @Test func saysWhyTheKernelsWorkersAreNotCapped() throws {
        let refusal = Strace.injecting("io_uring_register", "error=EINVAL:when=2")
        let (tool, output) = try run(wrapper: refusal)
        #expect(tool.end == .status(0))
        let lines = output.split(separator: "\n").filter { $0.contains("worker_cap") }
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix(" worker_cap off: the kernel says EINVAL (22)") == true)
    }

    @Test func isReadByPythonsOwnTool() throws {
        let command = ["sh", "-c", "\"$1\" info --json | python3 -m json.tool", "sh"]
        let pipeline = try ChildProcess(command + [Programs.uringcore])
        #expect(try pipeline.wait().hasPrefix("{\n"))
        #expect(pipeline.end == .status(0), "\(pipeline.errorText)")
    }

    @Test func namesTheSettingsOfTheEnvironment() throws {
        let info = try InfoOutput(environment: [
            "URINGCORE_STALL_MS": "70", "URINGCORE_BALANCE": "rx", "URINGCORE_CORE_COUNT": "1",
        ])
        #expect(info["settings.URINGCORE_STALL_MS"] == "70")
        #expect(info["settings.URINGCORE_BALANCE"] == "rx")
        #expect(info["cores.shards"] == "1")
        #expect(
            info.list("settingsFromEnvironment") == [
                "URINGCORE_CORE_COUNT", "URINGCORE_BALANCE", "URINGCORE_STALL_MS",
            ]
        )
    }

    @Test func saysWhyAFeatureIsOff() throws {
        let info = try InfoOutput(environment: ["URINGCORE_FEATURES_OFF": "defer_taskrun,buf_ring"])
        #expect(info["driver.rung"] == "coop_taskrun")
        for feature in ["defer_taskrun", "buf_ring"] {
            #expect(info.features[feature]?.isOn == false)
            #expect(info.features[feature]?.reason == "switched off in the configuration")
        }
        #expect(info.features["submit_all"]?.isOn == true)
    }

    @Test(arguments: [("EPERM", "seccomp profile"), ("ENOSYS", "this kernel has no io_uring")])
    func printsTheRestWithoutIOUring(_ error: String, _ part: String) throws {
        let denied = Programs.peer("deny.py") + [error]
        let info = try InfoOutput(wrapper: denied)
        #expect(info["driver.name"] == "epoll")
        #expect(info["driver.wanted"] == "auto")
        #expect(info["driver.rung"] == "null")
        #expect(info["driver.failure"]?.contains("\(error) (") == true)
        #expect(info["driver.failure"]?.contains(part) == true)
        #expect(info.features.values.allSatisfy { !$0.isOn })
        #expect(!info.features.isEmpty)
        #expect(info["cores.shards"] != nil)
        let (tool, output) = try run(wrapper: denied)
        #expect(tool.end == .status(0))
        #expect(output.contains("driver    epoll: set up ring failed: \(error)"))
    }

    @Test func saysThatAServerWouldNotStart() throws {
        let denied = Programs.peer("deny.py") + ["EPERM"]
        let insisting = ["URINGCORE_BACKEND": "uring"]
        let info = try InfoOutput(wrapper: denied, environment: insisting)
        #expect(info["driver.name"] == "null")
        #expect(info["driver.wanted"] == "uring")
        let (tool, output) = try run(wrapper: denied, environment: insisting)
        #expect(tool.end == .status(0))
        #expect(output.contains("driver    none: set up ring failed: EPERM"))
    }

    @Test func saysThatEpollWasAskedForAndMakesNoRing() throws {
        let killing = Strace.injecting("io_uring_setup", "signal=KILL")
        let wanted = ["URINGCORE_BACKEND": "epoll"]
        let info = try InfoOutput(wrapper: killing, environment: wanted)
        #expect(info["driver.name"] == "epoll")
        #expect(info["driver.failure"] == "null")
        #expect(info.features.values.allSatisfy { !$0.isOn && $0.reason == "epoll is used" })
        let (_, output) = try run(environment: wanted)
        #expect(output.contains("driver    epoll: asked for"))
    }

    @Test(arguments: [
        ("URINGCORE_CORES", "4000"), ("URINGCORE_CORES", "x"), ("URINGCORE_PIN", "maybe"),
        ("URINGCORE_STALL_MS", "soon"), ("URINGCORE_BACKEND", "select"),
    ])
    func endsWith78ForABadSetting(_ variable: String, _ value: String) throws {
        let (tool, output) = try run(environment: [variable: value])
        #expect(tool.end == .status(78))
        #expect(output.isEmpty)
        #expect(tool.errorLines.count == 1)
        #expect(tool.errorLines.first?.hasPrefix("uringcore: \(variable)='\(value)' ") == true)
    }

    @Test func endsWith78ForMorePinnedShardsThanCPUs() throws {
        let (tool, _) = try run(environment: [
            "URINGCORE_CORE_COUNT": "4096", "URINGCORE_PIN": "on",
        ])
        #expect(tool.end == .status(78))
        #expect(tool.errorLines.first?.contains("URINGCORE_CORE_COUNT='4096'") == true)
    }

    /// Whatever a variable's name holds, the output stays what it is.
    @Test(arguments: ["URINGCORE_\"quoted\\", "URINGCORE_é\u{1F600}", "URINGCORE_\u{1B}[31m\t"])
    func writesAnyTextAsJSON(_ name: String) throws {
        let info = try InfoOutput(environment: [name: "1"])
        #expect(info.list("warnings").count == 1)
        let isShown = name.contains("\u{1B}") || info["warnings.0"]?.hasPrefix(name) == true
        #expect(isShown)
    }

    // MARK: CPUs and limits

    private static let cpuCount = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    @Test(.enabled(if: Programs.has("taskset"))) func keepsToTheAffinity() throws {
        let cpu = Self.cpuCount - 1
        let info = try InfoOutput(wrapper: ["taskset", "-c", "\(cpu)"])
        #expect(info["cores.shards"] == "1")
        #expect(info.list("cores.cpus") == ["\(cpu)"])
        #expect(info.list("cores.affinity") == ["\(cpu)"])
    }

    @Test(.enabled(if: Programs.isRoot, "only root may change the user"))
    func saysWhetherTheLockedMemoryLimitBinds() throws {
        let limited = ["prlimit", "--memlock=65536"]
        let root = try InfoOutput(wrapper: limited)
        #expect(root["lockedMemory.limitBytes"] == "65536")
        #expect(root["lockedMemory.isExempt"] == "true")
        let user = try InfoOutput(
            wrapper: limited + ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
            binary: Programs.uringcoreForEveryUser
        )
        #expect(user["lockedMemory.isExempt"] == "false")
    }
}
