import Glibc
import Testing

/// What the tool says of settings and arguments that it cannot use.
@Suite("The tool's settings")
struct SettingTests {
    /// Runs the tool to its end.
    private func run(
        _ arguments: [String],
        environment: [String: String] = [:]
    ) throws -> (end: ChildProcess.End?, output: String, errors: [String]) {
        let tool = try ChildProcess([Programs.uringcore] + arguments, environment: environment)
        let output = try tool.wait()
        return (tool.end, output, tool.errorLines)
    }

    @Test(arguments: [
        ("URINGCORE_CORES", "x", "auto, all, or a list of CPUs such as 0-3,8"),
        ("URINGCORE_CORES", "3-1", "auto, all, or a list of CPUs such as 0-3,8"),
        ("URINGCORE_CORES", "4000", "CPUs that this process may use: "),
        ("URINGCORE_CORE_COUNT", "none", "auto or a whole number from 1 to 4096"),
        ("URINGCORE_PIN", "yes", "auto, on, off"),
        ("URINGCORE_SPIN_US", "1ms", "a whole number from 0 to 1000000"),
        ("URINGCORE_BALANCE", "fair", "p2c, off, rx"),
        ("URINGCORE_STALL_MS", "-1", "a whole number from 0 to 3600000"),
        ("URINGCORE_RING_ENTRIES", "300", "a power of two from 4 to 32768"),
        ("URINGCORE_CQ_ENTRIES", "128", "at least URINGCORE_RING_ENTRIES, which is 256"),
        ("URINGCORE_BUFFER_SIZE", "16k", "a whole number from 64 to 16777216"),
        ("URINGCORE_BUFFER_COUNT", "0", "a whole number from 4 to 32768"),
        ("URINGCORE_MLOCK", "maybe", "auto, on, off"),
        ("URINGCORE_QUARANTINE_MS", "-1", "a whole number from 0 to 3600000"),
        ("URINGCORE_SQPOLL", "yes", "0 or 1"),
        ("URINGCORE_SQPOLL_IDLE_MS", "0", "a whole number from 1 to 3600000"),
        ("URINGCORE_MAX_CONNECTIONS", "all", "a whole number from 0 to 4000000"),
        ("URINGCORE_BACKLOG", "", "a whole number from 1 to 1000000"),
        ("URINGCORE_JOB_BUDGET_US", "0", "a whole number from 1 to 1000000"),
        ("URINGCORE_DRAIN_MS", "10s", "a whole number from 0 to 86400000"),
        ("URINGCORE_FEATURES_OFF", "multishot", "any of defer_taskrun, "),
    ])
    func endWith78AndOneLine(_ variable: String, _ value: String, _ accepted: String) throws {
        let result = try run(["echo", "--port", "0"], environment: [variable: value])
        #expect(result.end == .status(78))
        #expect(result.output.isEmpty)
        #expect(result.errors.count == 1)
        let line = result.errors.first ?? ""
        #expect(
            line.hasPrefix("uringcore: \(variable)='\(value)' is not accepted: use \(accepted)")
        )
    }

    @Test func stayOneLineWhenAValueIsSeveral() throws {
        let environment = ["URINGCORE_BACKLOG": "1\n2\u{1B}[31m"]
        let result = try run(["echo", "--port", "0"], environment: environment)
        #expect(result.end == .status(78))
        #expect(result.errors.count == 1)
        #expect(result.errors.first?.contains("\u{1B}") == false)
    }

    @Test(arguments: ["nonsense", "localhost", "256.0.0.1", "1.2.3", "", ":::", "127.0.0.1:7000"])
    func endWith78ForAHostThatIsNoAddress(_ host: String) throws {
        let result = try run(["echo", "--host", host, "--port", "0"])
        #expect(result.end == .status(78))
        #expect(result.output.isEmpty)
        #expect(result.errors.count == 1)
        #expect(
            result.errors.first?.contains("'\(host)' is not a numeric IPv4 or IPv6 address") == true
        )
    }

    @Test(arguments: [
        ("--port", "65536", "a whole number from 0 to 65535"),
        ("--port", "99999999999999999999", "a whole number from 0 to 65535"),
        ("--port", "http", "a whole number from 0 to 65535"),
        ("--port", "+7", "a whole number from 0 to 65535"),
        ("--port", "", "a whole number from 0 to 65535"),
        ("--style", "poem", "callback, async"),
        ("--style", "poem\n", "callback, async"),
        ("--report", "0", "a number above 0, at most 3600"),
        ("--report", "3601", "a number above 0, at most 3600"),
        ("--report", "nan", "a number above 0, at most 3600"),
        ("--report", "often", "a number above 0, at most 3600"),
    ])
    func endWith78AndOneLineForAnOptionsValue(
        _ option: String,
        _ value: String,
        _ accepted: String
    ) throws {
        let result = try run(["echo", option, value])
        #expect(result.end == .status(78))
        #expect(result.output.isEmpty)
        let shown = value.replacing("\n", with: "\\n")
        let line = "uringcore: \(option)='\(shown)' is not accepted: use \(accepted)"
        #expect(result.errors == [line])
    }

    @Test(arguments: [
        ["echo", "--port"], ["echo", "--port", "-1"], ["echo", "--frobnicate"], ["echo", "extra"],
        ["frobnicate"],
    ])
    func endWithAUsageErrorForWhatIsNoArgument(_ arguments: [String]) throws {
        let result = try run(arguments)
        #expect(result.end == .status(EX_USAGE))
        #expect(result.output.isEmpty)
        #expect(result.errors.contains { $0.hasPrefix("Usage: uringcore") })
        #expect(result.errors.first?.hasPrefix("Error: ") == true)
    }

    @Test(arguments: [["--help"], ["echo", "--help"], ["help", "echo"]])
    func areExplainedByHelp(_ arguments: [String]) throws {
        let result = try run(arguments)
        #expect(result.end == .status(0))
        #expect(result.output.contains("USAGE: uringcore"))
        #expect(result.errors.isEmpty)
    }

    @Test func warnOnceOfAnUnknownVariable() throws {
        let server = try EchoProcess(environment: ["URINGCORE_BUFER_SIZE": "64"])
        try server.stop()
        let warnings = server.process.errorLines.filter { $0.contains("warning") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("did you mean URINGCORE_BUFFER_SIZE?") == true)
    }

    /// The last CPU, when there are several: then it is not the one that would be taken anyway.
    @Test func placeTheShard() throws {
        let cpu = sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1
        let server = try EchoProcess(environment: ["URINGCORE_CORES": "\(cpu)"])
        #expect(server.lines.first?.hasPrefix("shard 0 on CPU \(cpu): ") == true)
        try server.stop()
    }

    @Test func doNotLetASecondServerTakeThePort() throws {
        let first = try EchoProcess()
        let result = try run(["echo", "--port", first.port])
        #expect(result.end == .status(1))
        #expect(!result.output.contains("ready"))
        let complaints = result.errors.filter { $0.hasPrefix("uringcore: ") }
        #expect(complaints.count == 1)
        #expect(complaints.first?.contains("EADDRINUSE") == true)
        #expect(complaints.first?.contains("\(first.host):\(first.port)") == true)
        try first.echo(byteCount: 10_000)
        try first.stop()
    }

    @Test func nameAnAddressThatIsNotOfThisMachine() throws {
        // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
        let result = try run(["echo", "--host", "192.0.2.1", "--port", "7"])
        #expect(result.end == .status(1))
        let complaints = result.errors.filter { $0.hasPrefix("uringcore: ") }
        #expect(complaints.count == 1)
        #expect(complaints.first?.hasSuffix("192.0.2.1:7") == true)
    }
}
