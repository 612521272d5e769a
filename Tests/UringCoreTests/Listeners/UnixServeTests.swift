import Foundation
import Testing

@testable import UringCore
@testable import UringEngine

/// Unix-domain sockets from listening to the end, over all shards.
@Suite("Serving on Unix sockets", .serialized)
struct UnixServeTests {
    enum Name: CaseIterable {
        case path
        case abstract
    }

    /// An address that nobody else uses, and the file that it makes.
    private func withEndpoint(
        _ name: Name,
        _ body: (Endpoint, _ file: String?) async throws -> Void
    ) async throws {
        let unique = "uringcore-\(UUID().uuidString)"
        switch name {
        case .abstract: try await body(.abstract(name: unique), nil)
        case .path:
            let file = FileManager.default.temporaryDirectory.appending(path: unique).path
            try await body(.unix(path: file), file)
        }
    }

    @Test(arguments: Name.allCases, [ListenerPlacement.perShard, .distributed])
    func reachesEveryShard(_ name: Name, _ placement: ListenerPlacement) async throws {
        try await withEndpoint(name) { endpoint, file in
            try await withShards(3) { run in
                let served = SharedList<Int>()
                var serving: [Task<Void, any Error>] = []
                for index in 0..<3 {
                    let listener = try await run.on(index) {
                        try $0.listen(endpoint, placement: placement)
                    }
                    serving.append(
                        Task(executorPreference: listener.shard.executor) {
                            try await listener.serve { connection in
                                served.append(connection.shard.index)
                                try await echo(connection)
                            }
                        }
                    )
                    try await run.eventually("it serves", on: listener.shard) {
                        !$0.state.sessions.isEmpty
                    }
                }
                // Held open, so that the next goes to another shard.
                try await run.on { shard in
                    try await exchange(over: endpoint, from: shard, connectionCount: 12)
                }
                #expect(Set(served.all) == [0, 1, 2])
                if let file { #expect(FileManager.default.fileExists(atPath: file)) }
                for task in serving {
                    task.cancel()
                    #expect(await thrownReason { try await ended(task, "serve") } == .cancelled)
                }
            }
            if let file {
                #expect(!FileManager.default.fileExists(atPath: file), "it goes with its listener")
            }
        }
    }

    /// Between a cancellation and the end of accepting, a connection may still be handed to that shard.
    @Test func passesOnWhatComesAfterACancellation() async throws {
        try await withEndpoint(.abstract) { endpoint, _ in
            try await withShards(2) { run in
                var listeners: [Listener] = []
                var serving: [Task<Void, any Error>] = []
                for index in 0..<2 {
                    let listener = try await run.on(index) {
                        try $0.listen(endpoint, placement: .distributed)
                    }
                    listeners.append(listener)
                    serving.append(
                        Task(executorPreference: listener.shard.executor) {
                            try await listener.serve(echo)
                        }
                    )
                    try await run.eventually("it serves", on: listener.shard) {
                        !$0.state.sessions.isEmpty
                    }
                }
                let ends = try streamPair()
                let (leaving, left) = (listeners[0], serving[0])
                try await run.on(0) { shard in
                    left.cancel()
                    leaving.group.place(Descriptor(rawValue: ends.0), acceptedBy: shard)
                }
                try await onThread { try exchange(ends.1) }
                #expect(await thrownReason { try await ended(left, "serve") } == .cancelled)
                serving[1].cancel()
                _ = await serving[1].result
            }
        }
    }

    @Test func refusesAPathThatIsInUse() async throws {
        try await withEndpoint(.path) { endpoint, _ in
            try await withShards { run in
                _ = try await run.on { try $0.listen(endpoint) }
                try await withShards { other in
                    let reason = try await other.on { shard in
                        await thrownReason { try shard.listen(endpoint) }
                    }
                    #expect(reason == .errno(.addressInUse))
                }
            }
        }
    }
}

/// Two connected sockets; receiving on the second does not block for ever.
private func streamPair() throws -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw ClientError("socketpair") }
    var patience = timeval(tv_sec: EventGate.patienceSeconds, tv_usec: 0)
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    return (pair[0], pair[1])
}

/// Sends, expects the same back, and closes.
private func exchange(_ descriptor: Int32) throws {
    defer { close(descriptor) }
    let sent: [UInt8] = [1, 2, 3]
    guard send(descriptor, sent, sent.count, Int32(MSG_NOSIGNAL)) == sent.count else {
        throw ClientError("send")
    }
    var back: [UInt8] = [0, 0, 0]
    guard recv(descriptor, &back, back.count, Int32(MSG_WAITALL)) == back.count else {
        throw ClientError("recv")
    }
    #expect(back == sent)
}

/// Opens connections one after the other, exchanges bytes on all, then lets them end.
private func exchange(
    over endpoint: Endpoint,
    from shard: Shard,
    connectionCount: Int
) async throws {
    guard connectionCount > 0 else { return }
    try await shard.withConnection(to: endpoint) { connection in
        let sent = KnownBytes.bytes(at: connectionCount, count: 20_000)
        try await connection.write(sent)
        #expect(try await connection.readArray(atLeast: sent.count) == sent)
        try await exchange(over: endpoint, from: shard, connectionCount: connectionCount - 1)
    }
}
