internal import ArgumentParser
internal import UringCore

/// `uringcore echo`: sends every byte back.
struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Serve echo on all chosen cores until SIGTERM or SIGINT.",
        discussion: """
            Cores and memory are set by URINGCORE_* variables. When the server listens it prints one line for each \
            shard with its address, then the line `ready`. SIGTERM and SIGINT drain and exit 0; a second one ends it \
            at once. A setting that cannot be used exits 78, a server that cannot start exits 1.
            With --report, lines follow that begin with `report` and hold one JSON object: the time and each shard's \
            counters.
            """
    )

    @Option(help: "The numeric IPv4 or IPv6 address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port: OptionText = "7000"

    @Option(help: "Listen on a Unix-domain socket at this path instead.")
    var unix: String?

    @Option(
        help: "How the handler is written: \(styles.joined(separator: ", ")).",
        completion: .list(styles)
    )
    var style: OptionText = "callback"

    @Option(help: "Print each shard's counters every so many seconds, at most \(reportSecondsMax).")
    var report: OptionText?

    func run() async throws {
        let server = try ExitStatus.checkingSettings { () throws in
            try EchoServer(
                configuration: .fromEnvironment(),
                endpoint: endpoint(),
                style: style.choice("--style"),
                reportPeriod: reportPeriod()
            )
        }
        do {
            try await server.run()
        } catch {
            ExitStatus.complain("\(error)")
            throw ExitCode.failure
        }
    }

    private func endpoint() throws -> Endpoint {
        let port = try UInt16(port.whole("--port", in: 0...Int(UInt16.max)))
        let endpoint = unix.map { Endpoint.unix(path: $0) } ?? .tcp(host: host, port: port)
        _ = try endpoint.resolve()
        return endpoint
    }

    private func reportPeriod() throws(ConfigurationError) -> Duration? {
        guard let seconds = try report?.number("--report", atMost: Double(Self.reportSecondsMax))
        else { return nil }
        return .seconds(seconds)
    }

    private static let reportSecondsMax = 3_600
    private static let styles = EchoServer.Style.allCases.map(\.rawValue)
}
