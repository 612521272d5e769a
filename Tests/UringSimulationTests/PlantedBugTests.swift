import Testing
import UringCore
import UringTesting

/// Servers with a bug of their own, as a user may write them: some seeds find it, and a seed that does
/// always does.
@Suite struct PlantedBugTests {
    private static let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 7_000)

    /// A request is a length byte and as many bytes; the answer is their sum.
    private func ask(
        _ seed: UInt64,
        _ server: @escaping @Sendable (Connection) async throws -> Void
    ) throws {
        try withSimulation(seed: seed, shards: 2) { simulation in
            simulation.serve { shard in
                try await shard.listen(Self.endpoint).serve(server)
            }
            let client = try simulation.connect(to: Self.endpoint)
            for length in [3, 20, 100] as [UInt8] {
                let payload = (0..<length).map { $0 &* 3 }
                try client.send([length] + payload)
                let answer = try client.receive(exactly: 1)
                if answer != [payload.reduce(0, &+)] { throw WrongAnswer(answer: answer) }
            }
            client.finish()
            if try client.receiveToEnd() != [] { throw WrongAnswer(answer: []) }
        }
    }

    private struct WrongAnswer: Error {
        let answer: [UInt8]
    }

    /// Takes one read for one message, as it is on a loopback nearly always.
    @Sendable private static func takesOneReadForOneMessage(
        _ connection: Connection
    ) async throws {
        while let bytes = try await connection.read() {
            let message = bytes.copyToArray()
            try await connection.write([message.dropFirst().reduce(0, &+)])
        }
    }

    /// Collects until a message is whole.
    @Sendable private static func collects(_ connection: Connection) async throws {
        var pending: [UInt8] = []
        while let bytes = try await connection.read() {
            pending += bytes.copyToArray()
            while let length = pending.first, pending.count > Int(length) {
                let message = pending[1...Int(length)]
                try await connection.write([message.reduce(0, &+)])
                pending.removeFirst(Int(length) + 1)
            }
        }
    }

    /// Why a seed fails; nil when it does not.
    private func failure(
        _ seed: UInt64,
        _ server: @escaping @Sendable (Connection) async throws -> Void
    ) throws -> SimulationFailure? {
        do {
            try ask(seed, server)
            return nil
        } catch let failure as SimulationFailure {
            return failure
        }
    }

    @Test func isFoundBySomeSeed() throws {
        let failures = try (0..<50).compactMap { try failure($0, Self.takesOneReadForOneMessage) }
        #expect(!failures.isEmpty)
    }

    @Test func isFoundAgainByTheSameSeed() throws {
        let found = try (0..<50).compactMap {
            try failure($0, Self.takesOneReadForOneMessage)
        }
        let first = try #require(found.first)
        let again = try #require(try failure(first.seed, Self.takesOneReadForOneMessage))
        #expect(again.traceHash == first.traceHash)
        #expect(again.description == first.description)
        #expect(first.description.hasPrefix("seed \(first.seed): "))
    }

    @Test func isGoneWhenItIsMended() throws {
        for seed in 0..<50 as Range<UInt64> { try ask(seed, Self.collects) }
    }
}
