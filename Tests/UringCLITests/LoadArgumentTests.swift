import Glibc
import Testing

/// What `uringcore load` says of arguments that it cannot use.
@Suite("The arguments of uringcore load")
struct LoadArgumentTests {
    private func run(
        _ arguments: [String],
        wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws -> (end: ChildProcess.End?, output: String, errors: [String]) {
        let command = wrapper + [Programs.uringcore, "load"] + arguments
        let tool = try ChildProcess(command, environment: environment)
        let output = try tool.wait()
        return (tool.end, output, tool.errorLines)
    }

    private static let usual = ["--connections", "1", "--bytes", "1", "--seconds", "1"]

    @Test(arguments: [
        ("--connections", "0", "a whole number from 1 to 100000"),
        ("--connections", "100001", "a whole number from 1 to 100000"),
        ("--bytes", "16777217", "a whole number from 1 to 16777216"),
        ("--seconds", "0", "a number above 0, at most 3600"),
        ("--seconds", "nan", "a number above 0, at most 3600"),
        ("--pipeline", "1025", "a whole number from 1 to 1024"),
        ("--rate", "0", "a whole number from 1 to 1000000"),
        ("--connections", "many", "a whole number from 1 to 100000"),
        ("--rate", "1.5", "a whole number from 1 to 1000000"),
        ("--bytes", "", "a whole number from 1 to 16777216"),
        ("--seconds", "1s", "a number above 0, at most 3600"),
    ])
    func endWith78AndOneLineWhenNotAccepted(
        _ name: String,
        _ value: String,
        _ accepted: String
    ) throws {
        // A later option counts.
        let result = try run(["127.0.0.1:1"] + Self.usual + [name, value])
        #expect(result.end == .status(78))
        #expect(result.output.isEmpty)
        #expect(
            result.errors == ["uringcore: \(name)='\(value)' is not accepted: use \(accepted)"]
        )
    }

    @Test(arguments: [["--bytes"], ["--frobnicate"], ["extra"]])
    func areRefusedWhenTheyAreNone(_ arguments: [String]) throws {
        let result = try run(["127.0.0.1:1"] + Self.usual + arguments)
        #expect(result.end == .status(EX_USAGE))
        #expect(result.errors.first?.hasPrefix("Error: ") == true)
    }

    @Test func areAskedForWhenMissing() throws {
        let result = try run(["127.0.0.1:1"])
        #expect(result.end == .status(EX_USAGE))
    }

    @Test(arguments: ["127.0.0.1", "example.org:7000", "::1:7000", "127.0.0.1:0", "unix:"])
    func endWith78ForATargetThatIsNoAddress(_ target: String) throws {
        let result = try run([target] + Self.usual)
        #expect(result.end == .status(78))
        #expect(result.output.isEmpty)
        #expect(result.errors.count == 1)
        #expect(
            result.errors.first?.hasPrefix("uringcore: HOST:PORT='\(target)' is not accepted: use ")
                == true
        )
    }

    @Test func endWith78ForASettingThatCannotBeUsed() throws {
        let result = try run(
            ["127.0.0.1:1"] + Self.usual,
            environment: ["URINGCORE_CORES": "4000"]
        )
        #expect(result.end == .status(78))
        #expect(result.errors.count == 1)
    }

    @Test func endWith78ForMoreConnectionsThanFilesMayBeOpen() throws {
        let result = try run(
            ["127.0.0.1:1", "--connections", "1000", "--bytes", "1", "--seconds", "1"],
            wrapper: ["prlimit", "--nofile=200:200"]
        )
        #expect(result.end == .status(78))
        #expect(result.errors.count == 1)
        #expect(result.errors.first?.contains("open files, which is 200") == true)
    }

    @Test func raiseTheLimitOfOpenFilesWhereTheyMay() throws {
        let server = try EchoProcess()
        let result = try run(
            [
                "\(server.host):\(server.port)", "--connections", "300", "--bytes", "1",
                "--seconds", "0.1",
            ],
            wrapper: ["prlimit", "--nofile=200:4000"]
        )
        #expect(result.end == .status(0), "\(result.errors)")
        try server.stop()
    }

    @Test func areExplainedByHelp() throws {
        let result = try run(["--help"])
        #expect(result.end == .status(0))
        #expect(result.output.contains("USAGE: uringcore load <HOST:PORT> --connections"))
        #expect(result.output.contains("coordinated omission"))
    }
}
