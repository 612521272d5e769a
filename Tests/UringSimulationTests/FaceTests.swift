import Testing
import UringCore
import UringTesting

/// The async face on the simulated kernel: readers, names, deadlines, primitives and blocking work, with
/// every choice from a seed.
@Suite struct FaceTests {
    /// What happened, on one thread.
    private final class Record: @unchecked Sendable {
        var lines: [String] = []
        var count = 0
        var failures: [String] = []
    }

    private static let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 7_000)

    /// No fault of the network: whatever fails is ours.
    private static func quiet(
        _ change: (inout Configuration) -> Void = { _ in }
    )
        -> SimulationOptions
    {
        var options = SimulationOptions()
        var faults = SimulationFaults()
        (faults.shortReads, faults.shortSends, faults.endedMultishots) = (200, 200, 200)
        (faults.spuriousWakeups, faults.delays) = (20, 50)
        faults.longDelay = .milliseconds(2)
        options.faults = faults
        change(&options.configuration)
        return options
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func linesSurviveEveryCut(seed: UInt64) throws {
        try withSimulation(seed: seed, shards: 2, options: Self.quiet()) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(Self.endpoint)
                try await listener.serve { connection in
                    try await connection.withWriter(capacity: 50) { writer in
                        for try await line in connection.lines() {
                            try await writer.write("\(line.count) \(line)\n")
                        }
                    }
                }
            }
            let client = try simulation.connect(to: Self.endpoint)
            let sent = (0..<40).map { String(repeating: "x", count: $0 * 7 % 100) }
            try client.send(Array(sent.map { $0 + "\r\n" }.joined().utf8))
            client.finish()
            let answer = String(decoding: try client.receiveToEnd(), as: UTF8.self)
            #expect(answer == sent.map { "\($0.count) \($0)\n" }.joined())
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func connectionsOfASequenceAreServed(seed: UInt64) throws {
        try withSimulation(seed: seed, options: Self.quiet()) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(Self.endpoint)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for try await connection in listener.connections(ahead: 2) {
                        group.addTask {
                            try await connection.use {
                                for try await chunk in $0.chunks { try await $0.write(chunk) }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            for number in 0..<5 as Range<UInt8> {
                let client = try simulation.connect(to: Self.endpoint)
                try client.send([number, 1, 2])
                #expect(try client.receive(exactly: 3) == [number, 1, 2])
                client.finish()
                #expect(try client.receiveToEnd() == [])
            }
        }
    }

    /// Of three addresses one answers, and it is not the first.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func aNameIsConnectedToWhereSomebodyAnswers(seed: UInt64) throws {
        let record = Record()
        let options = Self.quiet {
            $0.resolver = OffloadingResolver(addresses: [
                .ipv4(0x0A00_0009, port: 0), .ipv6(0, 9, port: 0, scope: 0),
                .ipv4(0x7F00_0001, port: 0),
            ])
        }
        try withSimulation(seed: seed, shards: 2, options: options) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(Self.endpoint)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await listener.serve { connection in
                            while let bytes = try await connection.read() {
                                try await connection.write(bytes)
                            }
                        }
                    }
                    if shard.index == 1 {
                        group.addTask {
                            let name = Endpoint.tcp(host: "three.test", port: 7_000)
                            try await shard.withConnection(to: name) { connection in
                                try await connection.write([4, 5, 6])
                                let reader = ConnectionReader(connection)
                                if try await reader.readExactly(3) == [4, 5, 6] {
                                    record.count += 1
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try simulation.run(until: { record.count == 1 }, "a connection by name")
        }
    }

    /// Random waits under random deadlines, in a task and its children: nothing is lost, nothing stays.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func randomDeadlinesLoseNothing(seed: UInt64) throws {
        let record = Record()
        let options = Self.quiet {
            $0.resolver = OffloadingResolver(addresses: [.ipv4(0x7F00_0001, port: 0)])
            $0.blocking.threadsMax = 2
            $0.blocking.queuedMax = 2
        }
        try withSimulation(seed: seed, shards: 2, options: options) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(Self.endpoint)
                try await listener.serve { connection in
                    var random = SimulationRandom(seed: seed)
                    let hurry = Hurry(connection)
                    for _ in 0..<30 { try await hurry.step(&random) }
                    try await connection.write(hurry.received)
                    while let rest = try await hurry.reader.read() {
                        try await connection.write(rest)
                    }
                    record.failures += hurry.failures
                }
            }
            let client = try simulation.connect(to: Self.endpoint)
            let sent = (0..<500).map { UInt8(truncatingIfNeeded: $0) }
            try client.send(sent)
            client.finish()
            #expect(try client.receiveToEnd() == sent, "seed \(seed)")
        }
        #expect(record.failures == [], "seed \(seed)")
    }

    @Test func isTheSameRunForTheSameSeed() throws {
        func hash(_ seed: UInt64) throws -> UInt64 {
            try withSimulation(seed: seed, shards: 2, options: Self.quiet()) { simulation in
                let record = Record()
                simulation.serve { shard in
                    for number in 0..<10 {
                        let doubled = try await shard.runInExecutor { number * 2 }
                        try await shard.sleep(for: .microseconds(doubled))
                        record.count += 1
                    }
                }
                try simulation.run(until: { record.count == 20 }, "all work is done")
                return simulation.traceHash
            }
        }
        for seed in 0..<10 as Range<UInt64> { #expect(try hash(seed) == hash(seed)) }
        #expect(try hash(1) != hash(2))
    }
}

/// Finds its addresses in the blocking pool, as the system's does.
private struct OffloadingResolver: Resolver {
    let addresses: [SocketAddress]

    func addresses(
        of name: HostName,
        port: UInt16,
        on shard: Shard
    ) async throws(IOError) -> [SocketAddress] {
        do {
            return try await shard.runInExecutor {
                addresses.map {
                    switch $0 {
                    case .ipv4(let bytes, _): .ipv4(bytes, port: port)
                    case .ipv6(let high, let low, _, _): .ipv6(high, low, port: port, scope: 0)
                    case .unix: $0
                    }
                }
            }
        } catch let error as IOError {
            throw error
        } catch {
            throw IOError(.resolve, reason: .busy, detail: "\(error)")
        }
    }
}

/// A handler in a hurry: each of its waits may be cut by a deadline.
private final class Hurry: @unchecked Sendable {
    // Safety: a simulation is on one thread.
    let reader: ConnectionReader
    let connection: Connection
    var received: [UInt8] = []
    var failures: [String] = []
    private let channel: ShardChannel<Int>
    private let semaphore: ShardSemaphore
    private var sent = 0
    private var taken = 0

    init(_ connection: Connection) {
        self.connection = connection
        reader = ConnectionReader(connection)
        channel = ShardChannel(capacity: 2, on: connection.shard)
        semaphore = ShardSemaphore(permits: 1, on: connection.shard)
    }

    func step(_ random: inout SimulationRandom) async throws {
        let kind = random.below(9)
        let time = Duration.microseconds(random.between(0, 300))
        let shard = connection.shard
        do {
            try await shard.withTimeout(time) { [self] in try await perform(kind) }
        } catch let error as IOError
            where [.deadlineExceeded, .busy, .peerGone].contains(error.reason)
        {
            // What it is for; and there are not always seven bytes left.
        }
        if try semaphore.available != 1 { failures.append("a permit is gone") }
        if try channel.count != sent - taken { failures.append("an element is gone") }
    }

    private func perform(_ kind: Int) async throws {
        let shard = connection.shard
        switch kind {
        case 0: received += try await reader.readExactly(7)
        case 1: received += try await reader.read() ?? []
        case 2:
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in received += try await reader.readExactly(3) }
                try await group.waitForAll()
            }
        case 3: try await shard.sleep(for: .microseconds(200))
        case 4: _ = try await shard.runInExecutor { 1 }
        case 5:
            try await channel.send(sent)
            sent += 1
        case 6:
            guard let number = try await channel.receive() else { return }
            if number != taken { failures.append("element \(number) came for \(taken)") }
            taken += 1
        case 7: try await semaphore.withPermits { try await shard.sleep(for: .microseconds(100)) }
        default: _ = try await shard.submit(to: 1) { $0.index }
        }
    }
}
