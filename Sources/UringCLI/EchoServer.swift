internal import ArgumentParser
internal import Glibc
internal import Logging
internal import Synchronization
internal import UringCore

/// An echo server on one pinned core.
struct EchoServer {
    private let configuration: Configuration
    private let address: SocketAddress
    private let cpu: Int
    private let logger: Logger

    /// Resolves the settings.
    ///
    /// - Throws: `ConfigurationError` for cores that this process may not use.
    init(configuration: Configuration, address: SocketAddress) throws(ConfigurationError) {
        let allowed = CoreSelection.allowedCPUs()
        self.configuration = configuration
        self.address = address
        self.cpu = try configuration.cores.resolve(allowed: allowed)[0]
        self.logger = Logger(label: "uringcore") { StreamLogHandler.standardError(label: $0) }
    }

    /// Serves until a signal; throws the exit status of a failed start.
    func run() throws {
        logger.info("settings: \(configuration.resolvedSettings.joined(separator: ", "))")
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let shard = EchoShard(
            configuration: configuration,
            address: address,
            cpu: cpu,
            logger: logger
        )
        let box = FailureBox()
        let thread = try PinnedThread.start(cpu: cpu) { box.set(shard.serve(pinFailure: $0)) }
        thread.join()
        guard let failure = box.failure else { return }
        ExitStatus.complain("\(failure)")
        throw ExitCode.failure
    }
}

/// Carries the thread's failure to the one that joins it.
private final class FailureBox: Sendable {
    private let stored = Mutex<IOError?>(nil)

    var failure: IOError? { stored.withLock { $0 } }

    func set(_ failure: IOError?) {
        stored.withLock { $0 = failure }
    }
}

/// What runs on the pinned thread.
private struct EchoShard: Sendable {
    let configuration: Configuration
    let address: SocketAddress
    let cpu: Int
    let logger: Logger

    /// Serves until a signal.
    ///
    /// - Returns: why it could not, or nil.
    func serve(pinFailure: IOError?) -> IOError? {
        if let pinFailure { logger.warning("\(pinFailure); the scheduler places this thread") }
        do throws(IOError) {
            var options = configuration.loop
            options.log = { [logger] in logger.info("\($0)") }
            let loop = try EventLoop(options)
            defer { loop.shutDown() }
            try serve(on: loop)
            return nil
        } catch {
            return error
        }
    }

    private func serve(on loop: EventLoop) throws(IOError) {
        var options = ListenerOptions()
        options.backlog = configuration.backlog
        let handler = EchoHandler()
        let listener = try loop.listen(on: address, options: options) { handler }
        var signals: [SignalWatch] = []
        // Also when the loop fails: a watch that is let go while it is armed is a trap.
        defer { for signal in signals { signal.cancel() } }
        for signal in [SIGTERM, SIGINT] {
            signals.append(try SignalWatch(signal, on: loop) { loop.stop() })
        }
        logger.info("\(loop.driverSummary)")
        print("shard 0 on CPU \(cpu): listening on \(listener.address)")
        print("ready")
        fflush(nil)
        try loop.runForever()
        // From here on a second signal ends the process at once.
        for signal in signals { signal.cancel() }
        try drain(loop)
    }

    /// Lets connections finish, up to the drain's limit.
    private func drain(_ loop: EventLoop) throws(IOError) {
        logger.info("draining \(loop.metrics.openConnections) connections")
        var isLate = false
        loop.callLater(configuration.drainTimeout) { isLate = true }
        loop.drain()
        while !loop.isDrained, !isLate { try loop.runOnce(mayWait: true) }
        if isLate { logger.warning("the drain's limit passed; what is left is reset") }
    }
}
