import Testing
import UringCore
import UringTesting

/// What a reader is told when a connection is lost while input lies there that nobody has read.
@Suite struct LostInputTests {
    /// What a handler saw, on one thread.
    private final class Record: @unchecked Sendable {
        var bytes: [UInt8] = []
        var ends: [IOError?] = []

        /// Reads to the end, with something between two reads.
        func readAll(
            _ connection: Connection,
            _ between: (consuming ReceivedBytes) async throws -> Void = { _ in }
        ) async throws {
            do {
                while let received = try await connection.read() {
                    bytes += received.copyToArray()
                    try await between(received)
                }
                ends.append(nil)
            } catch let error as IOError {
                ends.append(error)
                throw error
            }
        }
    }

    /// A client sends `bytes` to a server with this handler, and is gone.
    private func record(
        seed: UInt64,
        sending bytes: [UInt8],
        options: SimulationOptions = SimulationOptions(),
        _ handler: @escaping @Sendable (Connection, Record) async throws -> Void
    ) throws -> Record {
        let record = Record()
        try withSimulation(seed: seed, options: options) { simulation in
            simulation.serve { shard in
                let listener = try shard.listen(.abstract(name: "lost"))
                try await listener.serve { try await handler($0, record) }
            }
            let client = try simulation.connect(to: .abstract(name: "lost"))
            try client.send(bytes)
            client.close()
            try simulation.advance(by: .seconds(5))
        }
        return record
    }

    /// A write fails before anybody reads.
    ///
    /// A plain end of the stream would pass for the whole input: seed 1,011,371 of the exercise.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func isReadBeforeTheEndOfTheStream(seed: UInt64) throws {
        let record = try record(seed: seed, sending: [1, 2, 3]) { connection, record in
            try await connection.shard.sleep(for: .seconds(1))
            try await connection.write([1])
            try await connection.shard.sleep(for: .seconds(1))
            try await record.readAll(connection)
        }
        #expect(record.ends.count == 1)
        #expect(record.bytes == [1, 2, 3])
        if case let error?? = record.ends.first { #expect(error.errno == Errno.brokenPipe) }
    }

    /// The connection's own deadline ends it: what was received is dropped, and that is no end of the stream.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func doesNotPassForTheEndOfTheStreamAfterADeadline(seed: UInt64) throws {
        let record = try record(seed: seed, sending: [1, 2, 3]) { connection, record in
            try connection.setDeadline(.after(.seconds(1)))
            try await connection.shard.sleep(for: .seconds(2))
            try await record.readAll(connection)
        }
        #expect(record.bytes == [])
        #expect(record.ends.map { $0?.reason } == [.deadlineExceeded])
    }

    /// A write fails in the middle of the reads: seed 7,048 of the exercise.
    @Test(arguments: 0..<500 as Range<UInt64>)
    func endsWithAllOrWithAnError(seed: UInt64) throws {
        var options = SimulationOptions()
        options.configuration.loop.bufferBytes = 64
        // So that the steps between the failure and its end lie apart.
        options.configuration.loop.limits.jobsPerTickMax = 1
        options.drawsKernel = false
        let sent = [UInt8](repeating: 7, count: 300)
        let record = try record(seed: seed, sending: sent, options: options) { connection, record in
            try await connection.shard.sleep(for: .seconds(1))
            try await record.readAll(connection) { bytes in
                try await connection.write(bytes)
                for _ in 0..<(seed % 10) { await Task.yield() }
            }
        }
        #expect(record.ends.count == 1)
        if case nil? = record.ends.first {
            #expect(record.bytes == sent, "the end of the stream comes after everything")
        }
    }
}
