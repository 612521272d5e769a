import Testing
import UringEngine

@testable import UringCore
@testable import UringTesting

/// What is left of a simulation after its end: nothing.
@Suite struct RemainsTests {
    /// What must be gone.
    private final class Box: @unchecked Sendable {
        weak var loop: EventLoop?
        weak var shard: Shard?
        weak var accepted: ConnectionCore?
        weak var made: ConnectionCore?
    }

    /// A connect kept its connector, and the connector the connect with its connection: some kilobytes
    /// for each connection that a shard had made.
    @Test(arguments: [true, false]) func isNoConnectionThatAShardMade(isRefused: Bool) throws {
        let box = Box()
        try withSimulation(seed: 1) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "here"))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await listener.serve { connection in
                            box.accepted = connection.core
                            _ = try await connection.read()
                        }
                    }
                    group.addTask {
                        let name = isRefused ? "nowhere" : "here"
                        try? await shard.withConnection(to: .abstract(name: name)) { connection in
                            box.made = connection.core
                            try await connection.write([1])
                        }
                        #expect((box.made == nil) == isRefused)
                    }
                    try await group.waitForAll()
                }
            }
            try simulation.advance(by: .seconds(5))
        }
        #expect(box.accepted == nil)
        #expect(box.made == nil)
    }

    /// A loop that leaks holds its driver, and that the kernel.
    @Test(arguments: [1, 3], [Endpoint.tcp(host: "::1", port: 7_000), .unix(path: "/run/x")])
    func isNothing(shards: Int, endpoint: Endpoint) throws {
        weak var kernel: SimulatedKernel?
        weak var simulation: Simulation?
        let box = Box()
        try withSimulation(seed: 5, shards: shards) { running in
            simulation = running
            kernel = running.kernel
            running.serve { shard in
                box.loop = shard.loop
                box.shard = shard
                try await shard.listen(endpoint).serve { connection in
                    while let bytes = try await connection.read() {
                        try await connection.write(bytes)
                    }
                }
            }
            let client = try running.connect(to: endpoint)
            try client.send([1, 2, 3])
            #expect(try client.receive(exactly: 3) == [1, 2, 3])
        }
        #expect(simulation == nil)
        #expect(kernel == nil)
        #expect(box.loop == nil)
        #expect(box.shard == nil)
    }

    private struct GivenUp: Error {}

    /// A body that throws leaves a server in the middle of its work: its tasks would wait for ever.
    @Test(arguments: [1, 3], [Endpoint.tcp(host: "::1", port: 7_000), .unix(path: "/run/x")])
    func isNothingAfterAFailure(shards: Int, endpoint: Endpoint) throws {
        weak var kernel: SimulatedKernel?
        let box = Box()
        let failure = #expect(throws: SimulationFailure.self) {
            try withSimulation(seed: 5, shards: shards) { running in
                kernel = running.kernel
                running.serve { shard in
                    box.loop = shard.loop
                    box.shard = shard
                    try await shard.listen(endpoint).serve { connection in
                        box.accepted = connection.core
                        while let bytes = try await connection.read() {
                            try await connection.write(bytes)
                        }
                    }
                }
                let client = try running.connect(to: endpoint)
                try client.send([1, 2, 3])
                #expect(try client.receive(exactly: 3) == [1, 2, 3])
                throw GivenUp()
            }
        }
        #expect(failure?.reason == "GivenUp()")
        #expect(kernel == nil)
        #expect(box.loop == nil)
        #expect(box.shard == nil)
        #expect(box.accepted == nil)
    }

    /// Says that whatever held it is gone.
    private final class DeathSign: @unchecked Sendable {
        nonisolated(unsafe) static var count = 0

        deinit {
            Self.count += 1
        }
    }

    /// A task that waits for nothing of the simulation's is never freed: what it holds is kept, and a
    /// search for leaks finds it.
    @Test func isWhatATaskHoldsThatNothingEnds() throws {
        let count = DeathSign.count
        #expect(throws: SimulationFailure.self) {
            try withSimulation(seed: 5) { simulation in
                simulation.serve { _ in
                    let sign = DeathSign()
                    await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
                    withExtendedLifetime(sign) {}
                }
                try simulation.advance(by: .seconds(5))
            }
        }
        #expect(DeathSign.count == count)
    }

    /// Breaks a rule at the end of its connection.
    private final class Breaker: StreamHandler {
        private let kernel: SimulatedKernel

        init(_ kernel: SimulatedKernel) {
            self.kernel = kernel
        }

        func connectionMade(_ transport: StreamTransport) {
            transport.write([UInt8](repeating: 1, count: 1 << 20))
        }

        func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {}

        func connectionLost(_ transport: StreamTransport, error: IOError?) {
            kernel.fail("planted")
        }
    }

    /// The loop resets eight connections at the drain's limit, and the first breaks a rule: the rest still
    /// end. (It waited for them without the kernel's help, for ever.)
    @Test func isNoLoopThatSpinsAfterABrokenRule() throws {
        var options = SimulationOptions()
        options.faults = SimulationFaults()
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 7_000)
        let address = try endpoint.resolve()
        let failure = #expect(throws: SimulationFailure.self) {
            try withSimulation(seed: 1, options: options) { simulation in
                nonisolated(unsafe) let kernel = simulation.kernel
                simulation.serve { shard in
                    _ = try shard.loop.listen(on: address) { Breaker(kernel) }
                    try await shard.untilDrain()
                }
                for _ in 0..<8 { _ = try simulation.connect(to: endpoint) }
                try simulation.advance(by: .seconds(1))
                simulation.drain()
                try simulation.advance(by: .seconds(60))
            }
        }
        #expect(failure?.reason == "planted")
    }
}
