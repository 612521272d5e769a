import Testing
import UringCore
import UringTesting

/// Pipes on a kernel that reads and writes short, fails now and then, and ends what is armed.
@Suite struct PipeTests {
    /// What a task saw, on one thread.
    private final class Record: @unchecked Sendable {
        var bytes: [UInt8] = []
        var error: IOError?
        var isOver = false
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 251) }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func carryEverythingInOrder(seed: UInt64) throws {
        let record = Record()
        let sent = Self.bytes(20_000)
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let (reader, writer) = try shard.openPipe()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for start in stride(from: 0, to: sent.count, by: 700) {
                            try await writer.write(
                                Array(sent[start..<min(start + 700, sent.count)])
                            )
                        }
                        try await writer.close()
                    }
                    while let bytes = try await reader.read() {
                        record.bytes += bytes.copyToArray()
                    }
                    try await group.waitForAll()
                }
                try await reader.close()
                record.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { record.isOver }, "the pipe ends")
        }
        #expect(record.bytes == sent)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func tellTheWriterThatNobodyReads(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let (reader, writer) = try shard.openPipe()
                try await writer.write(Self.bytes(100))
                _ = try await reader.read()
                reader.abort()
                do {
                    while true { try await writer.write(Self.bytes(3_000)) }
                } catch let error as IOError {
                    record.error = error
                }
                record.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { record.isOver }, "the writer is told")
        }
        #expect(record.error?.errno == .brokenPipe)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func refuseTheOtherDirection(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let (reader, writer) = try shard.openPipe()
                var reasons: [IOError.Reason] = []
                do { try await reader.write([1]) } catch let error as IOError {
                    reasons.append(error.reason)
                }
                do { _ = try await writer.read() } catch let error as IOError {
                    reasons.append(error.reason)
                }
                do { try reader.finish() } catch let error as IOError {
                    reasons.append(error.reason)
                }
                #expect(reasons == Array(repeating: .wrongDirection, count: 3))
                try writer.finish()
                #expect(try await reader.read() == nil)
                record.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { record.isOver }, "the pipe ends")
        }
    }

    /// What is under way in a pipe is not cut short by a drain that it outlives.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func areReadOnWhileTheServerDrains(seed: UInt64) throws {
        let record = Record()
        try withSimulation(seed: seed) { simulation in
            simulation.serve { shard in
                let (reader, writer) = try shard.openPipe()
                try await shard.untilDrain()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await shard.sleep(for: .milliseconds(5))
                        try await writer.write([1, 2, 3])
                        try await writer.close()
                    }
                    while let bytes = try await reader.read() {
                        record.bytes += bytes.copyToArray()
                    }
                    try await group.waitForAll()
                }
            }
            try simulation.advance(by: .milliseconds(1))
        }
        #expect(record.bytes == [1, 2, 3])
    }
}
