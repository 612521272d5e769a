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

    /// A write fails in the middle of the reads: seed 7,048 of the exercise.
    @Test(arguments: 0..<500 as Range<UInt64>)
    func endsWithAllOrWithAnError(seed: UInt64) throws {
        let record = Record()
        var options = SimulationOptions()
        options.configuration.loop.bufferBytes = 64
        // So that the steps between the failure and its end lie apart.
        options.configuration.loop.limits.jobsPerTickMax = 1
        options.drawsKernel = false
        try withSimulation(seed: seed, options: options) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "lost"))
                try await listener.serve { connection in
                    try await shard.sleep(for: .seconds(1))
                    while let bytes = try await connection.read() {
                        record.reads.append(.success(bytes.copyToArray()))
                        try await connection.write(bytes)
                        for _ in 0..<(seed % 10) { await Task.yield() }
                    }
                    record.reads.append(.success(nil))
                }
            }
            let client = try simulation.connect(to: .abstract(name: "lost"))
            try client.send(Array(repeating: 7, count: 300))
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        let byteCount = record.reads.reduce(0) { $0 + ((try? $1.get())?.count ?? 0) }
        guard case .success(nil)? = record.reads.last else { return }
        #expect(byteCount == 300, "the end of the stream comes after everything")
    }
}
