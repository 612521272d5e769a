import Testing

@testable import UringCore
@testable import UringEngine

/// A peer that sends while nobody reads.
@Suite(.serialized) struct ConnectionFloodTests {
    @Test(.ordinarySizes, arguments: [64, 4_096, 60_000])
    func isBoundedByTheCap(_ pieceBytes: Int) async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let (heldPeak, lentPeak) = (SharedCount(), SharedCount())
            let watch = try await run.on { shard in
                let connection = pair.connection
                let watch = RepeatedLook(shard.loop) { loop in
                    heldPeak.raise(to: connection.heldBytes)
                    lentPeak.raise(to: loop.metrics.buffersLent)
                }
                watch.look()
                return watch
            }
            let sentBytes = try await onThread {
                client.sendWhilePossible(pieceBytes: pieceBytes, bytesMax: 100_000_000)
            }
            #expect(sentBytes < 100_000_000, "the peer is slowed down")
            try await run.on { _ in watch.end() }
            // One enter may bring 33 buffers beyond the cap; the one that is taken next is not parked.
            let capBuffers = 262_144 / 16_384
            #expect(heldPeak.value <= (capBuffers + 33) * 16_384)
            #expect(lentPeak.value <= capBuffers + 33 + 1)

            // Nothing is lost, and it goes on.
            client.endOutput()
            let receivedBytes = try await pair.on(.handler) { connection in
                var count = 0
                while let bytes = try await connection.read() { count += bytes.byteCount }
                return count
            }
            #expect(receivedBytes == sentBytes)
            pair.end()
        }
    }

    @Test func leavesRoomForOthers() async throws {
        try await withShards { run in
            // More than the pool has, if each could take its cap.
            let address = try await run.serve { connection in
                guard let first = try await connection.read() else { return }
                if first.copyToArray()[0] == 7 { try await connection.shard.untilDrain() }
                try await connection.write(first)
            }
            let clients = try await onThread {
                try (0..<40).map { _ in try BlockingClient(to: address) }
            }
            for client in clients {
                _ = try await onThread {
                    client.sendWhilePossible(pieceBytes: 16_384, bytesMax: 600_000)
                }
            }
            try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
            for client in clients { client.reset() }
            run.drain()
        }
    }
}

/// Looks at a loop once a millisecond.
///
/// Used on the loop only.
private final class RepeatedLook: @unchecked Sendable {
    private let loop: EventLoop
    private let body: (EventLoop) -> Void
    private var isEnded = false

    init(_ loop: EventLoop, _ body: @escaping (EventLoop) -> Void) {
        self.loop = loop
        self.body = body
    }

    func look() {
        guard !isEnded else { return }
        body(loop)
        loop.callLater(.milliseconds(1)) { self.look() }
    }

    func end() {
        isEnded = true
    }
}
