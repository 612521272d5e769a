import Testing

/// What the load client says of servers that are not in order.
@Suite("uringcore load notices")
struct LoadFaultTests {
    /// Runs it against a server with a fault; it must end with status 1 and say why, once.
    private func load(
        _ fault: String,
        _ options: String,
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (report: LoadedReport, complaint: String) {
        let server = try FaultyServer(fault)
        let load = try LoadProcess(server.target, options, environment: environment)
        let report = try load.report()
        #expect(load.process.end == .status(1), sourceLocation: sourceLocation)
        #expect(load.process.complaints.count == 1, sourceLocation: sourceLocation)
        let complaint = load.process.complaints.first ?? ""
        let reason = report.firstError ?? "none"
        #expect(complaint == "uringcore: \(reason)", sourceLocation: sourceLocation)
        return (report, complaint)
    }

    @Test func aWrongByteAndWhereItIs() throws {
        let (report, complaint) = try load(
            "--wrong-byte 1000",
            "--connections 1 --bytes 64 --seconds 1"
        )
        #expect(report["wrongBytes"] == 1)
        #expect(report["lostConnections"] == 0)
        #expect(complaint.contains("connection 0, message 15, byte 40: "))
        #expect(report.answered > 16, "it goes on")
    }

    @Test func aWrongByteInTheMidstOfALargeMessage() throws {
        let (report, complaint) = try load(
            "--wrong-byte 700000",
            "--connections 1 --bytes 500000 --seconds 1"
        )
        #expect(report["wrongBytes"] == 1)
        #expect(complaint.contains("connection 0, message 1, byte 200000: "))
    }

    @Test func echoesOfAnotherConnection() throws {
        let (report, _) = try load(
            "--swap",
            "--connections 2 --bytes 64 --seconds 0.3",
            environment: ["URINGCORE_DRAIN_MS": "100"]
        )
        #expect(report["wrongBytes"] > 32, "places hold the same byte by chance, once in 256")
    }

    @Test func moreThanWasSent() throws {
        let (report, complaint) = try load(
            "--extra-byte 640",
            "--connections 1 --bytes 64 --seconds 1"
        )
        #expect(report["lostConnections"] == 1)
        #expect(report["wrongBytes"] == 1)
        #expect(complaint.hasSuffix("connection 0: 1 more bytes came back than were sent"))
    }

    @Test func connectionsThatTheServerCloses() throws {
        let (report, complaint) = try load(
            "--close 640",
            "--connections 5 --bytes 64 --seconds 3600"
        )
        #expect(report["lostConnections"] == 5, "and it does not wait for the end without them")
        #expect(report["requests"] == 50)
        #expect(report["unansweredRequests"] == 5)
        #expect(complaint.contains(/connection [0-4] lost:/))
    }

    @Test func aServerThatDoesNotAnswerAnyMore() throws {
        let (report, complaint) = try load(
            "--silent 640",
            "--connections 5 --bytes 64 --seconds 1",
            environment: ["URINGCORE_DRAIN_MS": "1000"]
        )
        #expect(report["lostConnections"] == 5)
        #expect(report.answered == 50)
        #expect(report["unansweredRequests"] == 5)
        #expect(complaint.contains("no answer within 1.0 seconds after the end"))
    }

    @Test func thatNobodyListens() throws {
        let server = try EchoProcess()
        try server.stop()
        let load = try LoadProcess(
            "\(server.host):\(server.port)",
            "--connections 100 --bytes 64 --seconds 3600"
        )
        #expect(try load.process.wait().isEmpty)
        #expect(load.process.end == .status(1))
        #expect(load.process.complaints.count == 1)
        #expect(load.process.complaints.first?.contains("ECONNREFUSED") == true)
        #expect(load.process.complaints.first?.contains("\(server.host):\(server.port)") == true)
    }

    // MARK: Open loop

    /// The server stands still for half a second, a quarter of the run.
    ///
    /// A client that waits with it sees four slow requests of thousands.
    @Test func whatAStallCostsThoseWhoWouldHaveAskedMeanwhile() throws {
        let server = try FaultyServer("--stall 4800 0.5")
        let load = try LoadProcess(
            server.target,
            "--connections 4 --bytes 16 --seconds 2 --rate 1000"
        )
        let report = try load.report()
        #expect(load.process.end == .status(0), "\(load.process.errorText)")
        #expect(report.answered + report["unsentRequests"] == 2_000)
        // 500 requests were due during the stall, and waited from 0 to 500 ms: 200 of these, a tenth
        // of all, for more than 300. A busy machine makes these figures larger, never smaller.
        #expect(report.milliseconds("p99.9") > 450)
        #expect(report.milliseconds("p90") > 250)
    }

    @Test func whatWaitsBehindAStallOnAConnectionWithoutAPipeline() throws {
        let server = try FaultyServer("--stall 4800 0.5")
        let load = try LoadProcess(
            server.target,
            "--connections 4 --bytes 16 --seconds 2 --rate 1000 --pipeline 1"
        )
        let report = try load.report()
        #expect(report.answered + report["unsentRequests"] == 2_000)
        #expect(report.milliseconds("p99.9") > 450)
        #expect(report.milliseconds("p90") > 250)
    }

    @Test func whatWasDueAndNeverAnswered() throws {
        let (report, _) = try load(
            "--silent 0",
            "--connections 4 --bytes 16 --seconds 1 --rate 1000 --pipeline 1",
            environment: ["URINGCORE_DRAIN_MS": "100"]
        )
        #expect(report.answered == 0)
        #expect(report["unsentRequests"] == 996)
        #expect(report["unansweredRequests"] == 4)
        // They waited from 0 to 1,000 ms until they were given up: the percentiles say so.
        #expect(report.milliseconds("p50") > 450)
        #expect(report.milliseconds("max") > 1_000)
    }
}
