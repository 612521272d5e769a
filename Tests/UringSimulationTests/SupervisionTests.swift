import Testing
import UringCore
import UringTesting

/// The supervisor's coordinator on a simulation's clock: hours cost milliseconds, and times are exact.
@Suite struct SupervisionTests {
    private struct Refusal: Error {}

    /// What handlers did, on one thread.
    private final class Record: @unchecked Sendable {
        var calls: [Duration] = []
        var ended: Duration?
    }

    private func quiet() -> SimulationOptions {
        var options = SimulationOptions()
        options.faults = SimulationFaults()
        return options
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func callsAHandlerThatThrowsAgainAndAgain(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed, options: quiet()) { simulation in
            let start = Deadline(nanoseconds: 1_000_000_000)
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "x"))
                let now = Deadline.now.nanoseconds - start.nanoseconds
                record.calls.append(.nanoseconds(now))
                async let serving: Void = listener.serve { _ in }
                try await shard.sleep(for: .milliseconds(1))
                try fail()
                try await serving
            }
            try simulation.advance(by: .seconds(60))
            guard case .handlerFailed(shard: 0, let cause)? = try simulation.end() else {
                Issue.record("the run ended well")
                return
            }
            #expect(cause is Refusal)
        }
        #expect(record.calls.count == 6, "once, and five restarts")
        let pauses = zip(record.calls.dropFirst(), record.calls).map { $0 - $1 }
        for (pause, milliseconds) in zip(pauses, [100, 200, 400, 800, 1_600]) {
            #expect(pause >= .milliseconds(milliseconds))
            #expect(pause < .milliseconds(milliseconds + 50))
        }
    }

    private func fail() throws { throw Refusal() }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func cancelsAtTheDrainsLimitAndNotBefore(seed: UInt64) throws {
        let record = Record()
        var options = quiet()
        options.configuration.drainTimeout = .seconds(3_600)
        try withSimulation(seed: seed, shards: 2, options: options) { simulation in
            simulation.serve { shard in
                // It does not care for the drain.
                try? await shard.sleep(for: .seconds(86_400))
                record.ended = .nanoseconds(Deadline.now.nanoseconds)
            }
            try simulation.advance(by: .seconds(1))
            simulation.drain()
            #expect(try simulation.end() == nil)
            #expect(simulation.now >= .seconds(3_601))
            #expect(simulation.now < .seconds(3_602))
        }
        #expect(record.ended != nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func endsAnIdleConnectionAtItsDeadline(seed: UInt64) throws {
        try withSimulation(seed: seed, options: quiet()) { simulation in
            simulation.serve { shard in
                try await shard.listen(.tcp(host: "127.0.0.1", port: 7_000)).serve { connection in
                    try connection.setDeadline(.after(.seconds(3_600)))
                    _ = try await connection.read()
                }
            }
            let client = try simulation.connect(to: .tcp(host: "127.0.0.1", port: 7_000))
            try simulation.advance(by: .seconds(3_599))
            #expect(!client.wasReset && !client.hasEnded)
            try simulation.advance(by: .seconds(2))
            #expect(client.wasReset)
        }
    }
}
