import Testing
import UringCore
import UringTesting

@Suite struct DatagramTests {
    private static let address = SocketAddress.ipv4(0x7F00_0001, port: 7_000)

    private static func echo(_ shard: Shard) async throws {
        let endpoint = try shard.bindDatagram(to: address)
        while let datagram = try await endpoint.receive() {
            let sender = datagram.sender
            try await endpoint.send(datagram.takeBytes(), to: sender)
        }
    }

    private func options(_ change: (inout SimulationFaults) -> Void) -> SimulationOptions {
        var options = SimulationOptions()
        var faults = SimulationFaults()
        change(&faults)
        options.faults = faults
        return options
    }

    /// Waits until the server has bound its sockets.
    private func begin(_ simulation: Simulation) throws -> SimulatedDatagramSocket {
        simulation.serve { try await Self.echo($0) }
        try simulation.advance(by: .milliseconds(200))
        return simulation.datagramSocket()
    }

    /// Without loss on the way nothing is lost, in whatever sizes and on whatever kernel the seed draws.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func comeBackOneByOne(seed: UInt64) throws {
        try withSimulation(seed: seed, shards: 2) { simulation in
            let client = try begin(simulation)
            for number in 0..<20 {
                let bytes = (0..<number).map { UInt8($0) }
                try client.send(bytes, to: Self.address)
                let answer = try client.receive()
                #expect(answer.bytes == bytes && answer.sender == Self.address)
            }
            client.close()
        }
    }

    /// Loss, doubles and overtaking: what comes is what was sent, and who asks again gets it all.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func areAskedForAgainUntilTheyCame(seed: UInt64) throws {
        let options = options {
            $0 = SimulationFaults(seed: seed)
            $0.lostDatagrams = 300
            $0.doubledDatagrams = 200
            $0.overtakenDatagrams = 300
        }
        try withSimulation(seed: seed, shards: 2, options: options) { simulation in
            let client = try begin(simulation)
            var missing = Set(0..<30 as Range<UInt8>)
            var rounds = 0
            while !missing.isEmpty, rounds < 500 {
                rounds += 1
                for number in missing.sorted() { try? client.send([number, 1], to: Self.address) }
                try simulation.advance(by: .milliseconds(100))
                while let answer = client.tryReceive() {
                    #expect(answer.bytes.count == 2 && answer.bytes[1] == 1)
                    missing.remove(answer.bytes[0])
                }
            }
            #expect(missing.isEmpty)
            client.close()
        }
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func aRefusalReachesAConnectedEndpointThatLivesOn(seed: UInt64) throws {
        try withSimulation(seed: seed, shards: 1) { simulation in
            let refused = Refusals()
            simulation.serve { shard in
                let endpoint = try shard.connectDatagram(to: Self.address)
                while try !shard.isDraining, refused.count < 3 {
                    do throws(IOError) {
                        try await endpoint.send([1])
                        if try await endpoint.receive(timeout: .milliseconds(500)) == nil { return }
                    } catch {
                        if error.errno == .connectionRefused { refused.count += 1 }
                    }
                }
            }
            try simulation.run(until: { refused.count == 3 }, "three refusals")
        }
    }

    @Test func theSameSeedGivesTheSameRun() throws {
        var hashes: Set<UInt64> = []
        for _ in 0..<2 {
            try withSimulation(seed: 7, shards: 2) { simulation in
                let client = try begin(simulation)
                for number in 0..<10 as Range<UInt8> {
                    try client.send([number], to: Self.address)
                    _ = try client.receive()
                }
                client.close()
                hashes.insert(simulation.traceHash)
            }
        }
        #expect(hashes.count == 1)
    }

    private final class Refusals: @unchecked Sendable {
        // Sendable: a simulation never leaves its thread.
        var count = 0
    }
}
