import Testing

@testable import UringCore

/// A file read in one sweep: by chunks, by lines.
@Suite(.serialized, .ordinarySizes) struct FileSweepTests {
    @Test(arguments: FileBackend.allCases, [0, 1, 1_000, 4_096, 100_000, 262_144])
    func chunksAreTheContent(_ backend: FileBackend, byteCount: Int) async throws {
        try await withFileShard(backend) { run, directory in
            let content = knownBytes(byteCount)
            let path = try directory.make("file", content)
            for ahead in [0, 1, 5] {
                var options = FileChunkOptions(chunkBytes: 4_096)
                options.chunksAhead = ahead
                let chosen = options
                let read = try await run.on { shard in
                    try await shard.withFile(path) { file in
                        var all: [UInt8] = []
                        for try await chunk in file.chunks(options: chosen) {
                            #expect(chunk.offset == UInt64(all.count))
                            all += chunk.copyToArray()
                        }
                        return all
                    }
                }
                #expect(read == content)
            }
        }
    }

    @Test func chunksOfARangeAreThatRange() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", knownBytes(50_000))
            let read = try await run.on { shard in
                try await shard.withFile(path) { file in
                    var all: [UInt8] = []
                    for try await chunk in file.chunks(in: 777..<20_000) {
                        all += chunk.copyToArray()
                    }
                    return all
                }
            }
            #expect(read == knownBytes(at: 777, 20_000 - 777))
        }
    }

    @Test func linesMayBeAsLongAsTheyLike() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", Array("a line without an end".utf8))
            let lines = try await run.on { shard in
                try await shard.withFile(path) { file in
                    var lines: [String] = []
                    for try await line in file.lines(lineBytesMax: .max) { lines.append(line) }
                    return lines
                }
            }
            #expect(lines == ["a line without an end"])
        }
    }

    /// What was read ahead is given back when nobody takes it.
    @Test(arguments: FileBackend.allCases)
    func aSweepMayEndEarly(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", knownBytes(500_000))
            try await run.on { shard in
                for _ in 0..<20 {
                    try await shard.withFile(path) { file in
                        var options = FileChunkOptions(chunkBytes: 10_000)
                        options.chunksAhead = 8
                        for try await chunk in file.chunks(options: options) {
                            #expect(chunk.byteCount == 10_000)
                            break
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ("", []), ("\n", [""]), ("one", ["one"]), ("one\n", ["one"]), ("one\r\n", ["one"]),
        ("one\ntwo", ["one", "two"]), ("a\r\n\r\nb\rc\r\n", ["a", "", "b\rc"]), ("\n\n", ["", ""]),
        ("end\r", ["end\r"]), ("ä€\n😀", ["ä€", "😀"]),
    ])
    func linesAreCutAtTheirEnds(text: String, lines: [String]) async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", Array(text.utf8))
            // Chunks so small that ends of lines and characters lie across them.
            for chunkBytes in [1, 2, 3, 4_096] {
                let read = try await run.on { shard in
                    try await shard.withFile(path) { file in
                        var all: [String] = []
                        let options = FileChunkOptions(chunkBytes: chunkBytes)
                        for try await line in file.lines(options: options) { all.append(line) }
                        return all
                    }
                }
                #expect(read == lines, "chunks of \(chunkBytes)")
            }
        }
    }

    @Test func manyLinesComeInOrder() async throws {
        try await withFileShard { run, directory in
            let lines = (0..<20_000).map { "line \($0) " + String(repeating: "x", count: $0 % 100) }
            let path = try directory.make("file", Array(lines.joined(separator: "\n").utf8))
            let read = try await run.on { shard in
                try await shard.withFile(path) { file in
                    var all: [String] = []
                    for try await line in file.lines() { all.append(line) }
                    return all
                }
            }
            #expect(read == lines)
        }
    }

    @Test(arguments: [
        ("12345\n", true), ("12345\r\n", true), ("123456\n", false), ("1\n123456", false),
    ])
    func aLineHasALimit(text: String, isFine: Bool) async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", Array(text.utf8))
            for chunkBytes in [1, 3, 4_096] {
                let reading = run.task { shard in
                    try await shard.withFile(path) { file in
                        let options = FileChunkOptions(chunkBytes: chunkBytes)
                        for try await _ in file.lines(lineBytesMax: 5, options: options) {}
                    }
                }
                let result = await reading.result
                if isFine {
                    try result.get()
                } else {
                    #expect(await thrownReason { try result.get() } == .invalidArgument)
                }
            }
        }
    }

    @Test func refusesChunksThatCannotBe() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", [1])
            for (bytes, ahead) in [(0, 1), (-1, 1), (1 << 31, 1), (10, -1), (10, 65)] {
                var options = FileChunkOptions(chunkBytes: bytes)
                options.chunksAhead = ahead
                let chosen = options
                let reading = run.task { shard in
                    try await shard.withFile(path) { file in
                        for try await _ in file.chunks(options: chosen) {}
                    }
                }
                #expect(
                    await thrownReason { try await ended(reading, "a sweep") } == .invalidArgument
                )
            }
        }
    }
}
