import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// What the suite stands on; `CORE_BACKEND=epoll` runs it there.
let suiteBackend =
    getenv("CORE_BACKEND").flatMap { BackendChoice(rawValue: String(cString: $0)) } ?? .auto

/// A configuration that leaves the test's process alone: no signals, no locked memory.
func configured(_ change: (inout Configuration) -> Void = { _ in }) -> Configuration {
    var configuration = Configuration()
    configuration.backend = suiteBackend
    configuration.loop.memoryLock = .off
    configuration.loop.bufferCount = 64
    configuration.drainSignals = []
    configuration.stallLimit = .zero
    change(&configuration)
    return configuration
}

/// A supervisor with as many shards as a test likes, none of them bound to a CPU.
func makeSupervisor(
    _ shardCount: Int,
    _ configuration: Configuration = configured(),
    makeLoop: @escaping @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop = {
        (_, options) throws(IOError) in try EventLoop(options)
    }
) -> Supervisor {
    do {
        return try Supervisor(
            configuration: configuration,
            logger: nil,
            cpus: Array(repeating: nil, count: shardCount),
            makeLoop: makeLoop
        )
    } catch {
        fatalError("the configuration of a test can be used: \(error)")
    }
}

/// A run of a supervisor in the background of a test.
struct SupervisedRun: Sendable {
    let supervisor: Supervisor
    private let task: Task<SupervisorError?, any Error>

    /// Starts `handler` on every shard.
    init(_ supervisor: Supervisor, _ handler: @escaping @Sendable (Shard) async throws -> Void) {
        self.supervisor = supervisor
        task = Task {
            do {
                try await supervisor.run(handler)
                return nil
            } catch {
                return error as? SupervisorError
            }
        }
    }

    func cancel() {
        task.cancel()
    }

    /// How it ended: nil is well.
    func outcome() async throws -> SupervisorError? {
        try await ended(task, "the run")
    }

    /// Expects that it ends well.
    func expectEnd(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let outcome = try await outcome()
        #expect(outcome == nil, sourceLocation: sourceLocation)
    }

    /// Asks for the drain and expects a good end.
    func drain(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        supervisor.drain()
        try await expectEnd(sourceLocation: sourceLocation)
    }
}

/// Echoes until the peer ends or the shard drains.
@Sendable func echo(_ connection: Connection) async throws {
    while let bytes = try await connection.read() { try await connection.write(bytes) }
}

extension Shard {
    /// Listens on a port of 127.0.0.1, a free one unless it is given.
    func listen(
        port: UInt16 = 0,
        placement: ListenerPlacement = .perShard
    ) throws(IOError) -> Listener {
        try listen(.tcp(host: "127.0.0.1", port: port), placement: placement)
    }
}

/// Servers of a test on the way up: where they listen, once all do.
final class Addresses: Sendable {
    private let all = SharedList<SocketAddress>()
    private let gate = EventGate()

    func add(_ address: SocketAddress) {
        all.append(address)
        gate.open()
    }

    /// Waits for `count` more, and gives the last.
    func last(after count: Int) async throws -> SocketAddress {
        for _ in 0..<count { try await gate.opened("a shard that listens") }
        return try #require(all.all.last)
    }

    var distinct: Set<SocketAddress> { Set(all.all) }
    var count: Int { all.all.count }
}
