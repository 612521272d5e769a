internal import Glibc
internal import Logging
internal import Synchronization
internal import UringCore

/// An echo server on all chosen cores.
struct EchoServer {
    /// How the handler is written.
    enum Style: String, CaseIterable {
        case callback
        case async
    }

    private let supervisor: Supervisor
    private let endpoint: Endpoint
    private let style: Style
    private let reportPeriod: Duration?

    /// Resolves the settings; without `reportPeriod` nothing is reported.
    ///
    /// - Throws: `ConfigurationError` for cores that this process may not use.
    init(
        configuration: Configuration,
        endpoint: Endpoint,
        style: Style,
        reportPeriod: Duration?
    ) throws(ConfigurationError) {
        let logger = Logger(label: "uringcore") { StreamLogHandler.standardError(label: $0) }
        self.supervisor = try Supervisor(configuration: configuration, logger: logger)
        self.endpoint = endpoint
        self.style = style
        self.reportPeriod = reportPeriod
        logger.info("settings: \(configuration.resolvedSettings.joined(separator: ", "))")
        for warning in configuration.warnings { logger.warning("\(warning)") }
    }

    /// Serves until a signal.
    func run() async throws(SupervisorError) {
        let readiness = Readiness(shardCount: supervisor.plan.shardCount)
        let reports = reportPeriod.map { period in
            Task { [supervisor] in
                await ShardReporter(supervisor).report(every: period) { readiness.isReady }
            }
        }
        // Not awaited: a shard that failed may never answer the last question.
        defer { reports?.cancel() }
        try await supervisor.run { [endpoint, style] shard in
            let listener = try shard.listen(endpoint)
            readiness.listening(shard, on: listener.address)
            switch style {
            case .async: try await listener.serve(Self.echo)
            case .callback:
                let handler = EchoHandler()
                try await listener.serve(handlers: { handler })
            }
        }
    }

    @Sendable private static func echo(_ connection: Connection) async throws {
        while let bytes = try await connection.read() {
            try await connection.write(bytes)
        }
    }
}

/// Says where each shard listens, and `ready` when all do.
private final class Readiness: Sendable {
    private let waiting: Mutex<Set<Int>>

    init(shardCount: Int) {
        waiting = Mutex(Set(0..<shardCount))
    }

    /// All shards listen, and the line `ready` is out.
    var isReady: Bool { waiting.withLock(\.isEmpty) }

    func listening(_ shard: Shard, on address: SocketAddress) {
        waiting.withLock { waiting in
            // A handler that was restarted says nothing again.
            guard waiting.remove(shard.index) != nil else { return }
            print("\(shard): listening on \(PrintableText("\(address)"))")
            if waiting.isEmpty { print("ready") }
            fflush(nil)
        }
    }
}
