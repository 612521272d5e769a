import Testing
import UringCore
import UringTesting

/// Files on the simulated kernel: what a seed lets go wrong is what a real kernel may do.
@Suite struct FileTests {
    private static let seeds = 0..<40 as Range<UInt64>

    /// A file beside an array, with many operations at once on parts that do not overlap.
    @Test(arguments: seeds) func holdWhatAnArrayWouldHold(seed: UInt64) throws {
        try withSimulation(seed: seed) { simulation in
            var random = simulation.random
            let rounds = (0..<6).map { _ in
                (0..<8).map { part in
                    Part(index: part, seed: random.below(1_000), count: random.between(1, 5_000))
                }
            }
            let outcome = Outcome()
            simulation.serve { shard in
                try await shard.makeDirectory("/data")
                let options = FileOptions(access: .readWrite, creation: .always)
                try await shard.withFile("/data/file", options: options) { file in
                    for parts in rounds { try await Self.write(parts, to: file, outcome) }
                }
                outcome.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { outcome.isOver }, "the file is written")
            #expect(outcome.wrongReads == 0)
            #expect(simulation.content(ofFile: "/data/file") == Self.model(of: rounds))
        }
    }

    private struct Part: Sendable {
        let index: Int
        let seed: Int
        let count: Int

        static let stride = 5_000
        var offset: Int { index * Self.stride }
        var bytes: [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) } }
    }

    private final class Outcome: @unchecked Sendable {
        // Safety: a simulation never leaves its thread.
        var isOver = false
        var wrongReads = 0
        var error: IOError?
    }

    private static func write(
        _ parts: [Part],
        to file: File,
        _ outcome: Outcome
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in parts {
                group.addTask {
                    try await file.write(part.bytes, at: UInt64(part.offset))
                    let read = try await file.readExactly(
                        at: UInt64(part.offset),
                        count: part.count
                    )
                    if read.copyToArray() != part.bytes { outcome.wrongReads += 1 }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func model(of rounds: [[Part]]) -> [UInt8] {
        var model: [UInt8] = []
        for part in rounds.joined() {
            let end = part.offset + part.count
            if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
            model.replaceSubrange(part.offset..<end, with: part.bytes)
        }
        return model
    }

    @Test(arguments: seeds) func aSweepIsTheContent(seed: UInt64) throws {
        try withSimulation(seed: seed) { simulation in
            let content = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            try simulation.makeFile("/file", content: content)
            let outcome = Outcome()
            simulation.serve { shard in
                try await shard.withFile("/file") { file in
                    var options = FileChunkOptions(chunkBytes: 1_000)
                    options.chunksAhead = Int(seed % 4)
                    var all: [UInt8] = []
                    for try await chunk in file.chunks(options: options) {
                        all += chunk.copyToArray()
                    }
                    if all != content { outcome.wrongReads += 1 }
                }
                outcome.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { outcome.isOver }, "the file is read")
            #expect(outcome.wrongReads == 0)
        }
    }

    @Test(arguments: seeds) func aFileArrivesWhole(seed: UInt64) throws {
        try withSimulation(seed: seed) { simulation in
            let content = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
            try simulation.makeFile("/file", content: content)
            simulation.serve { shard in
                let listener = try shard.listen(.tcp(host: "127.0.0.1", port: 7000))
                try await listener.serve { connection in
                    try await connection.write([1])
                    try await connection.shard.withFile("/file") { file in
                        let options = FileChunkOptions(chunkBytes: 3_000)
                        try await connection.sendFile(file, options: options)
                    }
                    try await connection.write([2])
                }
            }
            let client = try simulation.connect(to: .tcp(host: "127.0.0.1", port: 7000))
            #expect(try client.receiveToEnd() == [1] + content + [2])
        }
    }

    /// A device without room and one that fails are told as what they are, and the file closes.
    @Test(arguments: [true, false], 0..<10 as Range<UInt64>)
    func tellsWhatTheDeviceSays(isFull: Bool, seed: UInt64) throws {
        var options = SimulationOptions()
        var faults = SimulationFaults(seed: seed)
        if isFull { faults.fullDevices = 1_000 } else { faults.fileErrors = 1_000 }
        options.faults = faults
        try withSimulation(seed: seed, options: options) { simulation in
            let outcome = Outcome()
            simulation.serve { shard in
                do {
                    try await shard.withFile("/file", options: .writing) { file in
                        try await file.write([1, 2, 3], at: 0)
                    }
                } catch let error as IOError {
                    outcome.error = error
                }
                outcome.isOver = true
                try await shard.untilDrain()
            }
            try simulation.run(until: { outcome.isOver }, "the write fails")
            #expect(outcome.error?.errno == (isFull ? .noSpace : .inputOutput))
        }
    }

    /// A drain in the middle of everything: the run ends, and nothing is left.
    @Test(arguments: seeds) func endWhenTheServerDrains(seed: UInt64) throws {
        try withSimulation(seed: seed) { simulation in
            try simulation.makeFile("/file", content: [UInt8](repeating: 5, count: 50_000))
            simulation.serve { shard in
                let file = try await shard.openFile("/file")
                while try !shard.isDraining {
                    for try await _ in file.chunks(options: .init(chunkBytes: 777)) {
                        if try shard.isDraining { break }
                    }
                }
            }
            try simulation.advance(by: .microseconds(Int64(simulation.random.below(3_000))))
        }
    }
}
