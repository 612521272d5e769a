import Testing
import UringCore
import UringTesting

@Suite struct EchoTests {
    @Test(arguments: 0..<20 as Range<UInt64>) func echoes(seed: UInt64) throws {
        try withSimulation(seed: seed, shards: 2) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.tcp(host: "127.0.0.1", port: 7000))
                try await listener.serve { connection in
                    while let bytes = try await connection.read() {
                        try await connection.write(bytes)
                    }
                }
            }
            let client = try simulation.connect(to: .tcp(host: "127.0.0.1", port: 7000))
            try client.send([1, 2, 3, 4, 5])
            #expect(try client.receive(exactly: 5) == [1, 2, 3, 4, 5])
            client.finish()
            #expect(try client.receiveToEnd() == [])
        }
    }
}
