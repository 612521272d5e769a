import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Files in async code.
@Suite(.serialized, .ordinarySizes) struct FileTests {
    @Test(arguments: FileBackend.allCases) func readsWhatItWrote(
        _ backend: FileBackend
    ) async throws {
        try await withFileShard(backend) { run, directory in
            try await run.on { shard in
                let options = FileOptions(access: .readWrite, creation: .always)
                try await shard.withFile(directory.file(), options: options) { file in
                    let content = knownBytes(250_000)
                    try await file.write(content, at: 0)
                    try await file.write(
                        OwnedBytes(capacity: 4) { $0.append(1, as: UInt32.self) },
                        at: 250_000
                    )
                    try await file.sync()
                    #expect(try await file.attributes().byteCount == 250_004)
                    let some = try await file.read(at: 100, count: 50)?.copyToArray()
                    #expect(some == Array(content[100..<150]))
                    let all = try await file.readExactly(at: 0, count: 250_000).copyToArray()
                    #expect(all == content)
                    #expect(try await file.read(at: 250_004, count: 1) == nil)
                    try await file.truncate(to: 10)
                    try await file.allocate(0..<20)
                    #expect(try await file.attributes().byteCount == 20)
                }
            }
        }
    }

    @Test(arguments: FileBackend.allCases)
    func saysThatAFileEndsEarly(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", [1, 2, 3])
            try await run.on { shard in
                try await shard.withFile(path) { file in
                    do {
                        _ = try await file.readExactly(at: 1, count: 5)
                        Issue.record("nothing was thrown")
                    } catch let error as IOError {
                        #expect(error.reason == .truncated)
                        #expect(error.description.hasSuffix("file, 2 of 5 bytes at 1"))
                    }
                }
            }
        }
    }

    @Test(arguments: FileBackend.allCases) func worksWithNames(_ backend: FileBackend) async throws
    {
        try await withFileShard(backend) { run, directory in
            try await run.on { shard in
                let sub = directory.file("sub")
                try await shard.makeDirectory(sub)
                let file = try await shard.openFile(sub.appending("a"), options: .appending)
                try await file.append([1, 2])
                try await file.append([3])
                try await file.close()
                try await file.close()
                try await shard.renameFile(sub.appending("a"), to: sub.appending("b"))
                #expect(try await shard.listDirectory(sub).map(\.name) == ["b"])
                #expect(try await shard.fileAttributes(sub.appending("b")).byteCount == 3)
                #expect(
                    await thrownReason { try await shard.removeDirectory(sub) }
                        == .errno(.notEmpty)
                )
                try await shard.removeFile(sub.appending("b"))
                try await shard.removeDirectory(sub)
                #expect(
                    await thrownReason { try await shard.fileAttributes(sub) }
                        == .errno(.notFound)
                )
            }
        }
    }

    @Test(arguments: FileBackend.allCases)
    func manyReadsAtOnceAreEachRight(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", knownBytes(1_000_000))
            try await run.on { shard in
                try await shard.withFile(path) { file in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for task in 0..<100 {
                            group.addTask {
                                for step in 0..<5 {
                                    let offset = (task * 5 + step) * 2_000
                                    let bytes = try await file.readExactly(
                                        at: UInt64(offset),
                                        count: 2_000
                                    )
                                    #expect(KnownBytes.matches(bytes.copyToArray(), at: offset))
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    /// A file that nobody closed is closed with its shard; the drain does not wait for it.
    @Test(arguments: FileBackend.allCases)
    func isClosedWithItsShard(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", [1])
            try await run.on { shard in
                let file = try await shard.openFile(path)
                #expect(try await file.read(at: 0, count: 1)?.copyToArray() == [1])
            }
            run.drain()
        }
    }

    @Test func isUsedOnItsShardOnly() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", [1])
            let file = try await run.on { try await $0.openFile(path) }
            #expect(await thrownReason { try await file.attributes() } == .wrongShard)
            #expect(await thrownReason { try await file.close() } == .wrongShard)
            try await run.on { _ in try await file.close() }
        }
    }

    /// Cancelled at any time, whatever the kernel is doing: it ends, and leaves nothing.
    @Test(arguments: FileBackend.allCases, [3, 4] as [UInt64])
    func endsWhenItIsCancelled(_ backend: FileBackend, seed: UInt64) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", knownBytes(100_000))
            var random = SeededNumbers(seed: seed)
            for _ in 0..<300 {
                let task = run.task { shard in
                    try await shard.withFile(path) { file in
                        for offset in stride(from: 0, to: 100_000, by: 10_000) {
                            let bytes = try await file.readExactly(
                                at: UInt64(offset),
                                count: 10_000
                            )
                            #expect(KnownBytes.matches(bytes.copyToArray(), at: offset))
                        }
                    }
                }
                for _ in 0..<random.next() % 40 { await Task.yield() }
                task.cancel()
                do {
                    try await ended(task, "a cancelled task")
                } catch let error as IOError {
                    #expect(error.reason == .cancelled)
                }
            }
        }
    }

    @Test func endsWithTheDeadlineOfItsScope() async throws {
        try await withFileShard { run, directory in
            guard mkfifo("\(directory.path)/pipe", 0o600) == 0 else { throw ClientError("mkfifo") }
            let reason = try await run.on { shard in
                let options = FileOptions(access: .readWrite, creation: .never)
                return try await shard.withFile(directory.file("pipe"), options: options) { file in
                    await thrownReason {
                        try await shard.withTimeout(.milliseconds(20)) {
                            _ = try await file.read(at: 0, count: 1)
                        }
                    }
                }
            }
            #expect(reason == .deadlineExceeded)
        }
    }

    @Test func anOpenThatNobodyDoesEndsWithTheDeadlineOfItsScope() async throws {
        let refuseAll: (inout Configuration) -> Void = {
            $0.backend = .epoll
            $0.loop.offload = { _ in false }
        }
        try await withShards(configure: refuseAll) { run in
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.withTimeout(.milliseconds(20)) {
                        try await shard.openFile("/dev/null")
                    }
                }
            }
            #expect(reason == .deadlineExceeded)
        }
    }

    /// A task that begins on a shard and prefers none goes on elsewhere.
    @Test(arguments: FileBackend.allCases)
    func anOpenFileThatNobodyGetsIsClosed(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", [1])
            let reason = try await run.on { shard in
                await Task.immediate { await thrownReason { try await shard.openFile(path) } }.value
            }
            #expect(reason == .wrongShard)
        }
    }

    /// A read of a pipe that nobody writes to ends by its cancellation alone.
    @Test func aReadThatWaitsIsCancelled() async throws {
        try await withFileShard { run, directory in
            #expect(mkfifo("\(directory.path)/pipe", 0o600) == 0)
            let reading = run.task { shard in
                let options = FileOptions(access: .readWrite, creation: .never)
                try await shard.withFile(directory.file("pipe"), options: options) { file in
                    _ = try await file.read(at: 0, count: 1)
                }
            }
            try await run.eventually("a read is in flight", on: run.shards[0]) {
                $0.loop.fileCalls.count == 1
            }
            reading.cancel()
            #expect(await thrownReason { try await ended(reading, "a read") } == .cancelled)
        }
    }
}
