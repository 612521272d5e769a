import Foundation
import Testing

@testable import UringCore
@testable import UringEngine

/// Files sent over connections.
@Suite(.serialized, .ordinarySizes) struct SendFileTests {
    @Test(arguments: FileBackend.allCases, [0, 1, 70_000, 3_000_000])
    func thePeerGetsTheFile(_ backend: FileBackend, byteCount: Int) async throws {
        try await withFileShard(backend) { run, directory in
            let content = knownBytes(byteCount)
            let path = try directory.make("file", content)
            let pair = try await run.pair(receiveBuffer: 4_096)
            let client = pair.client
            let sending = pair.start(.handler) { connection in
                try await connection.write([1, 2, 3])
                let sent = try await connection.shard.withFile(path) { file in
                    try await connection.sendFile(file)
                }
                try await connection.write([4, 5])
                return sent
            }
            let received = try await onThread { try client.receive(byteCount + 5) }
            #expect(try await ended(sending, "sending") == UInt64(byteCount))
            #expect(received.count == byteCount + 5)
            #expect(received == [1, 2, 3] + content + [4, 5])
            pair.end()
        }
    }

    /// Those in /proc say that they hold nothing.
    @Test(arguments: FileBackend.allCases)
    func aFileWithoutASizeIsSentToItsEnd(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, _ in
            let content = try #require(FileManager.default.contents(atPath: "/proc/version"))
            let pair = try await run.pair()
            let client = pair.client
            let sent = try await pair.on(.otherTask) { connection in
                try await connection.shard.withFile("/proc/version") { file in
                    try await connection.sendFile(file)
                }
            }
            #expect(sent == UInt64(content.count))
            let received = try await onThread { try client.receive(content.count) }
            #expect(received == Array(content))
            pair.end()
        }
    }

    @Test func aPartIsThatPart() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", knownBytes(300_000))
            let pair = try await run.pair()
            let client = pair.client
            try await pair.on(.otherTask) { connection in
                _ = try await connection.shard.withFile(path) { file in
                    var options = FileChunkOptions(chunkBytes: 10_000)
                    options.chunksAhead = 3
                    try await connection.sendFile(file, range: 1_234..<201_234, options: options)
                }
            }
            let received = try await onThread { try client.receive(200_000) }
            #expect(KnownBytes.matches(received, at: 1_234))
            pair.end()
        }
    }

    /// A peer that does not read stops the reading of the file.
    @Test func noMoreIsReadThanTheWatermarksAllow() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", knownBytes(8_000_000))
            let pair = try await run.pair(sendBuffer: 4_096, receiveBuffer: 4_096)
            let client = pair.client
            let sending = try await pair.started(.handler) { connection, ready in
                ready()
                _ = try await connection.shard.withFile(path) { file in
                    try await connection.sendFile(file)
                }
            }
            // It waits for the peer when nothing goes on any more.
            try await run.eventually("the sender waits", on: run.shards[0]) { _ in
                pair.connection.core.transport.writeBufferBytes > 262_144
            }
            let held = try await run.on { _ in pair.connection.core.transport.writeBufferPinnedBytes
            }
            #expect(held <= 262_144 + 2 * 131_072)
            let received = try await onThread { try client.receive(8_000_000) }
            try await ended(sending, "sending")
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    /// Fewer bytes than were promised are an error for both ends, and none of them is wrong.
    @Test(arguments: FileBackend.allCases)
    func aFileThatEndsEarlyResetsTheConnection(_ backend: FileBackend) async throws {
        try await withFileShard(backend) { run, directory in
            let path = try directory.make("file", knownBytes(8_000_000))
            let pair = try await run.pair(
                receiveBuffer: 4_096,
                onConnectionError: { _ in }
            )
            let client = pair.client
            let sending = try await pair.started(.handler) { connection, ready in
                _ = try await connection.shard.withFile(path) { file in
                    ready()
                    try await connection.sendFile(file, range: 0..<8_000_000)
                }
            }
            try await run.eventually("the sender waits", on: run.shards[0]) { _ in
                pair.connection.core.transport.writeBufferBytes > 262_144
            }
            directory.cut(to: 6_000_000)
            let (received, ending) = try await onThread {
                var received: [UInt8] = []
                do {
                    while true {
                        let some = try client.receiveSome()
                        if some.isEmpty { return (received, BlockingClient.Ending.eof) }
                        received += some
                    }
                } catch {
                    return (received, .reset)
                }
            }
            #expect(await thrownReason { try await ended(sending, "sending") } == .truncated)
            #expect(ending == .reset)
            #expect(received.count <= 6_000_000)
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    /// Bytes of another task never lie inside a file.
    @Test func nobodyElseWritesMeanwhile() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", knownBytes(3_000_000))
            let pair = try await run.pair(receiveBuffer: 4_096)
            let client = pair.client
            let sending = try await pair.started(.otherTask) { connection, ready in
                ready()
                _ = try await connection.shard.withFile(path) { file in
                    try await connection.sendFile(file)
                }
            }
            try await run.eventually("the sender waits", on: run.shards[0]) { _ in
                pair.connection.core.transport.writeBufferBytes > 262_144
            }
            let reason = await thrownReason {
                try await pair.on(.handler) { try await $0.write([9]) }
            }
            #expect(reason == .busy)
            let received = try await onThread { try client.receive(3_000_000) }
            try await ended(sending, "sending")
            #expect(KnownBytes.matches(received, at: 0))
            pair.end()
        }
    }

    @Test func aCancelledSenderResetsTheConnection() async throws {
        try await withFileShard { run, directory in
            let path = try directory.make("file", knownBytes(8_000_000))
            let pair = try await run.pair(receiveBuffer: 4_096, onConnectionError: { _ in })
            let client = pair.client
            let sending = Task(executorPreference: run.shards[0].executor) {
                _ = try await run.shards[0].withFile(path) { file in
                    try await pair.connection.sendFile(file)
                }
            }
            try await run.eventually("the sender waits", on: run.shards[0]) { _ in
                pair.connection.core.transport.writeBufferBytes > 262_144
            }
            sending.cancel()
            #expect(await thrownReason { try await ended(sending, "sending") } == .cancelled)
            let (byteCount, ending) = try await onThread { try client.receiveToEnd() }
            #expect(ending == .reset && byteCount < 8_000_000)
            pair.end()
        }
    }
}
