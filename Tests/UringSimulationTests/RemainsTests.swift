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
}
