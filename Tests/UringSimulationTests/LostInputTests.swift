import Testing
import UringCore
import UringTesting

/// What a reader is told when a connection is lost while input lies there that nobody has read.
@Suite struct LostInputTests {
    /// What a handler saw, on one thread.
    private final class Record: @unchecked Sendable {
        var bytes: [UInt8] = []
        var ends: [IOError?] = []
    }

    /// The client sends bytes and is gone; a write fails before anybody reads them.
    ///
    /// A plain end of the stream would pass for the whole input: seed 1,011,371 of the exercise.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func isReadBeforeTheEndOfTheStream(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "lost"))
                try await listener.serve { connection in
                    try await shard.sleep(for: .seconds(1))
                    try await connection.write([1])
                    try await shard.sleep(for: .seconds(1))
                    do {
                        while let bytes = try await connection.read() {
                            record.bytes += bytes.copyToArray()
                        }
                        record.ends.append(nil)
                    } catch let error as IOError {
                        record.ends.append(error)
                    }
                }
            }
            let client = try simulation.connect(to: .abstract(name: "lost"))
            try client.send([1, 2, 3])
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        #expect(record.ends.count == 1)
        #expect(record.bytes == [1, 2, 3])
        if case let error?? = record.ends.first { #expect(error.errno == Errno.brokenPipe) }
    }

    /// The connection's own deadline ends it: what was received is dropped, and that is no end of the stream.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func doesNotPassForTheEndOfTheStreamAfterADeadline(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "late"))
                try await listener.serve { connection in
                    try connection.setDeadline(.after(.seconds(1)))
                    try await shard.sleep(for: .seconds(2))
                    do {
                        while let bytes = try await connection.read() {
                            record.bytes += bytes.copyToArray()
                        }
                        record.ends.append(nil)
                    } catch let error as IOError {
                        record.ends.append(error)
                    }
                }
            }
            let client = try simulation.connect(to: .abstract(name: "late"))
            try client.send([1, 2, 3])
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        #expect(record.bytes == [])
        #expect(record.ends.map { $0?.reason } == [.deadlineExceeded])
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
                        record.bytes += bytes.copyToArray()
                        try await connection.write(bytes)
                        for _ in 0..<(seed % 10) { await Task.yield() }
                    }
                    record.ends.append(nil)
                }
            }
            let client = try simulation.connect(to: .abstract(name: "lost"))
            try client.send(Array(repeating: 7, count: 300))
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        guard case nil? = record.ends.first else { return }
        #expect(record.bytes.count == 300, "the end of the stream comes after everything")
    }
}
