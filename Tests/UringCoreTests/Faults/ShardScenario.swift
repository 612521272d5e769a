import Glibc
import Testing
import UringTesting

@testable import UringCore
@testable import UringEngine

/// A small story of async code, told again and again with another part of it going wrong.
struct ShardScenario: Sendable, CustomTestStringConvertible {
    let name: String
    let shardCount: Int
    let body: @Sendable (ShardedRun) async throws -> Void

    init(
        _ name: String,
        shards shardCount: Int = 1,
        _ body: @escaping @Sendable (ShardedRun) async throws -> Void
    ) {
        self.name = name
        self.shardCount = shardCount
        self.body = body
    }

    var testDescription: String { name }
}

/// A stream that ended before everything had come: fine, where something went wrong.
struct EndedEarly: Error {}

/// A byte that is not the one that was sent: never fine.
struct WrongBytes: Error {}

extension BlockingClient {
    /// Sends bytes and expects the same.
    func echo(_ bytes: [UInt8]) throws {
        try send(bytes)
        try expect(bytes)
    }

    /// Expects these bytes.
    func expect(_ bytes: [UInt8]) throws {
        var position = 0
        while position < bytes.count {
            let some = try receiveSome(bytes.count - position)
            guard !some.isEmpty else { throw EndedEarly() }
            guard some[...] == bytes[position..<position + some.count] else { throw WrongBytes() }
            position += some.count
        }
    }
}

extension ShardedRun {
    /// Serves in the background; a server that a fault ends counts as begun.
    func begin(
        on chosen: Range<Int> = 0..<1,
        placement: ListenerPlacement = .perShard,
        _ handler: @escaping @Sendable (Connection) async throws -> Void
    ) async throws -> SocketAddress {
        let listeners = try await listen(on: chosen, placement: placement)
        for listener in listeners {
            let isOver = SharedCount()
            _ = task(on: listener.shard.index) { _ in
                defer { isOver.add() }
                try await listener.serve(onConnectionError: { _ in }, handler)
            }
            try await eventually("a shard serves or fails", on: listener.shard) { shard in
                !shard.state.sessions.isEmpty || isOver.value > 0
            }
        }
        return listeners[0].address
    }

    /// Talks to an address on a thread of its own.
    func client(
        of address: SocketAddress,
        _ body: @escaping @Sendable (BlockingClient) throws -> Void
    ) async throws {
        try await onThread {
            let client = try BlockingClient(to: address)
            defer { client.close() }
            try body(client)
        }
    }
}

/// Bytes whose every position is known.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
}
