import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// A connection that was accepted while the last server was ending.
@Suite(.serialized) struct WaitingConnectionTests {
    @Test func isServedByWhoeverServesNext() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let (near, far) = try socketPair()
            defer { close(far) }
            try await run.on { shard in
                let group = try shard.runtime.registry.group(
                    for: listener.address,
                    shard.runtime.listenerOptions,
                    .perShard,
                    shard: shard
                )
                group.place(Descriptor(rawValue: near), acceptedBy: shard)
            }
            let serving = run.task { _ in try await listener.serve(echo) }
            try await onThread {
                let sent: [UInt8] = [1, 2, 3]
                let sentCount = write(far, sent, sent.count)
                var echoed: [UInt8] = [0, 0, 0]
                let echoedCount = recv(far, &echoed, echoed.count, Int32(MSG_WAITALL))
                #expect(sentCount == 3 && echoedCount == 3)
                #expect(echoed == sent)
                shutdown(far, Int32(SHUT_RDWR))
            }
            serving.cancel()
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
        }
    }

    /// The near end is for the runtime, which closes it.
    private func socketPair() throws -> (near: Int32, far: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            ends[1],
            SOL_SOCKET,
            SO_RCVTIMEO,
            &patience,
            socklen_t(MemoryLayout<timeval>.size)
        )
        return (ends[0], ends[1])
    }
}
