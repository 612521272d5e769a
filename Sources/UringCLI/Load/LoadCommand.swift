internal import ArgumentParser
internal import Logging
internal import UringCore
internal import UringLoad

/// `uringcore load`: keeps connections busy with echo requests, and checks every byte.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load an echo server, check every byte, report requests and latencies.",
        discussion: """
            One loop on each chosen core (URINGCORE_CORES), the connections spread over them. All connections are \
            made first, then all begin together.

            Without --rate a connection sends its next message when one was answered (closed loop): this finds what \
            a server can do, and its latencies are those under full load. With --rate requests follow a timetable, \
            and a latency counts from when its request was due, whatever held it back (open loop, free of \
            coordinated omission): this finds what users would wait at that rate.

            SIGINT ends the run early, with the report. What is in flight at the end may take URINGCORE_DRAIN_MS to \
            come back. Ends with status 1 when a byte came back wrong or a connection was lost or could not be made.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "127.0.0.1:7000, [::1]:7000, localhost:7000, unix:PATH or unix:@NAME (abstract).",
            valueName: "HOST:PORT"
        )
    )
    var target: String

    @Option(help: "Connections, \(text(of: LoadPlan.connectionsRange)).")
    var connections: OptionText

    @Option(help: "Bytes of a message, \(text(of: LoadPlan.messageBytesRange)).")
    var bytes: OptionText

    @Option(help: "Seconds to measure, at most \(Int(LoadPlan.secondsMax)); fractions count.")
    var seconds: OptionText

    @Option(
        help: """
            Messages that a connection has in flight at most, \(text(of: LoadPlan.pipelineRange)). \
            (default: 1, with --rate \(LoadPlan.pipelineRange.upperBound))
            """
    )
    var pipeline: OptionText?

    @Option(
        help: "Requests a second over all connections, \(text(of: LoadPlan.rateRange)): open loop."
    )
    var rate: OptionText?

    @Flag(help: "Print the report as one JSON object.")
    var json = false

    func run() throws {
        let logger = Logger(label: "uringcore") { StreamLogHandler.standardError(label: $0) }
        let run = try ExitStatus.checkingSettings { () throws in
            let plan = try plan()
            let configuration = try Configuration.fromEnvironment()
            for warning in configuration.warnings { logger.warning("\(warning)") }
            return try LoadRun(plan, to: LoadTarget(target), configuration: configuration) {
                logger.info("\($0)")
            }
        }
        do {
            try report(run.run())
        } catch let failure as LoadFailure {
            ExitStatus.complain("\(failure)")
            throw ExitCode.failure
        }
    }

    private func plan() throws(ConfigurationError) -> LoadPlan {
        var plan = LoadPlan()
        plan.connections = try connections.whole("--connections", in: LoadPlan.connectionsRange)
        plan.messageBytes = try bytes.whole("--bytes", in: LoadPlan.messageBytesRange)
        plan.seconds = try seconds.number("--seconds", atMost: LoadPlan.secondsMax)
        plan.pipeline = try pipeline?.whole("--pipeline", in: LoadPlan.pipelineRange)
        plan.rate = try rate?.whole("--rate", in: LoadPlan.rateRange)
        try plan.check()
        return plan
    }

    private func report(_ result: LoadResult) throws {
        let report = LoadReport(result)
        print(json ? report.json.text() : report.text)
        if let error = result.firstError { ExitStatus.complain(error) }
        if !result.isFlawless { throw ExitCode.failure }
    }

    private static func text(of range: ClosedRange<Int>) -> String {
        "\(range.lowerBound) to \(range.upperBound)"
    }
}
