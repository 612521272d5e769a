import Testing
import UringCore
import UringTesting

/// What a reader is told when a connection is lost while input lies there that nobody has read.
@Suite struct LostInputTests {
    /// What a handler saw, on one thread.
    private final class Record: @unchecked Sendable {
        var reads: [Result<[UInt8]?, IOError>] = []
    }

    /// The client sends bytes and is gone; a write fails before anybody reads them.
    ///
    /// A plain end of the stream would pass for the whole input: seed 1,011,371 of the exercise.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func doesNotPassForTheEndOfTheStream(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "lost"))
                try await listener.serve { connection in
                    try await shard.sleep(for: .seconds(1))
                    try await connection.write([1])
                    try await shard.sleep(for: .seconds(1))
                    do {
                        record.reads.append(.success(try await connection.read()?.copyToArray()))
                    } catch let error as IOError {
                        record.reads.append(.failure(error))
                    }
                }
            }
            let client = try simulation.connect(to: .abstract(name: "lost"))
            try client.send([1, 2, 3])
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        #expect(record.reads.count == 1)
        guard case .failure(let error)? = record.reads.first else {
            Issue.record("three bytes were lost, and the reader was told \(record.reads)")
            return
        }
        #expect(error.errno == Errno.brokenPipe)
    }
}
