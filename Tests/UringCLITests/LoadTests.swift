import Glibc
import Testing

/// The load client against servers that are in order.
@Suite("uringcore load")
struct LoadTests {
    private func load(
        _ options: String,
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> LoadedReport {
        let server = try EchoProcess()
        let load = try LoadProcess(
            "\(server.host):\(server.port)",
            options,
            environment: environment
        )
        let report = try load.report()
        #expect(
            load.process.end == .status(0),
            "\(load.process.errorText)",
            sourceLocation: sourceLocation
        )
        #expect(report["wrongBytes"] == 0, sourceLocation: sourceLocation)
        #expect(report["lostConnections"] == 0, sourceLocation: sourceLocation)
        #expect(report["unansweredRequests"] == 0, sourceLocation: sourceLocation)
        #expect(report.firstError == nil, sourceLocation: sourceLocation)
        #expect(report.answered > 0, sourceLocation: sourceLocation)
        try server.stop()
        return report
    }

    @Test(arguments: [
        "--connections 1 --bytes 1 --seconds 0.3",
        "--connections 10 --bytes 64 --seconds 0.3",
        "--connections 10 --bytes 1000 --seconds 0.3 --pipeline 7",
        "--connections 3 --bytes 131071 --seconds 0.3 --pipeline 3",
        "--connections 2 --bytes 16777216 --seconds 0.3",
        "--connections 1 --bytes 1 --seconds 0.3 --pipeline 1024",
        "--connections 300 --bytes 100 --seconds 0.3",
    ])
    func getsEveryByteBack(_ options: String) throws {
        let report = try load(options)
        #expect(report["unsentRequests"] == 0)
        #expect(report.milliseconds("p50") <= report.milliseconds("p99.9"))
        #expect(report.milliseconds("p99.9") <= report.milliseconds("max"))
    }

    @Test func reachesAUnixSocketByItsPath() throws {
        let path = "/tmp/uringcore-load-\(getpid()).sock"
        defer { unlink(path) }
        let server = try ChildProcess([Programs.uringcore, "echo", "--unix", path])
        _ = try server.lines(until: "ready")
        let load = try LoadProcess("unix:\(path)", "--connections 20 --bytes 1000 --seconds 0.3")
        let report = try load.report()
        #expect(load.process.end == .status(0), "\(load.process.errorText)")
        #expect(report.answered > 0)
        server.send(SIGTERM)
        _ = try server.wait()
        #expect(server.end == .status(0))
    }

    @Test func reachesAnAbstractUnixSocket() throws {
        let server = try FaultyServer("--abstract uringcore-load-\(getpid())")
        let load = try LoadProcess(server.target, "--connections 3 --bytes 1000 --seconds 0.3")
        let report = try load.report()
        #expect(load.process.end == .status(0), "\(load.process.errorText)")
        #expect(report.answered > 0)
    }

    @Test func waitsForAllThatIsInFlightAtTheEnd() throws {
        let report = try load("--connections 5 --bytes 64 --seconds 0.2 --pipeline 4")
        #expect(report["lateRequests"] == 20, "each connection kept four in flight to the end")
    }

    @Test func spreadsConnectionsOverAllCores() throws {
        let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let report = try load(
            "--connections \(2 * count + 1) --bytes 64 --seconds 0.3",
            environment: ["URINGCORE_CORES": "all"]
        )
        #expect(report.answered > 0)
    }

    @Test func takesFewerCoresThanThereAreForFewConnections() throws {
        _ = try load("--connections 1 --bytes 64 --seconds 0.1")
    }

    @Test(arguments: ["", "--pipeline 1", "--pipeline 3"])
    func sendsExactlyWhatTheTimetableSays(_ pipeline: String) throws {
        let report = try load("--connections 7 --bytes 64 --seconds 0.5 --rate 1000 \(pipeline)")
        #expect(report.answered + report["unsentRequests"] == 500)
    }

    @Test func printsAReportForAPerson() throws {
        let server = try EchoProcess()
        let load = try ChildProcess([
            Programs.uringcore, "load", "\(server.host):\(server.port)", "--connections", "2",
            "--bytes", "64", "--seconds", "0.1",
        ])
        let lines = try load.wait().split(separator: "\n")
        #expect(load.end == .status(0))
        let number = "[0-9]+\\.[0-9]"
        let patterns = [
            "requests [0-9]+ in \(number){3} s, [0-9]+/s, \(number) MB/s",
            "latency "
                + ["50", "90", "99", "99.9"].map { "p\($0) \(number) us, " }.joined()
                + "max \(number) us",
            "after the end 2 answered, 0 unanswered", "wrong bytes 0, lost connections 0",
        ]
        #expect(lines.count == patterns.count)
        for (line, pattern) in zip(lines, patterns) {
            #expect(try Regex(pattern).wholeMatch(in: line) != nil, "\(line)")
        }
        #expect(load.complaints.isEmpty)
        try server.stop()
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func endsEarlyAtASignalWithItsReport(_ signal: Int32) throws {
        let server = try FaultyServer()
        let load = try LoadProcess(server.target, "--connections 3 --bytes 64 --seconds 3600")
        try server.awaitFirstBytes()
        load.process.send(signal)
        let report = try load.report()
        #expect(load.process.end == .status(0), "\(load.process.errorText)")
        #expect(report["lostConnections"] == 0)
        #expect(report.answered > 0)
    }

    @Test func endsAtOnceAtASecondSignal() throws {
        let server = try FaultyServer("--silent 0")
        let load = try LoadProcess(
            server.target,
            "--connections 1 --bytes 64 --seconds 0.05",
            environment: ["URINGCORE_DRAIN_MS": "86400000"]
        )
        try server.awaitFirstBytes()
        // One that comes while the first is being handled counts with it.
        load.process.sendUntilTheEnd(SIGINT)
        #expect(try load.process.wait().isEmpty)
        #expect(load.process.end == .signal(SIGINT))
    }
}
