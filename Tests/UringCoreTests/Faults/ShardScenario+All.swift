import Glibc
import Testing
import UringTesting

@testable import UringCore
@testable import UringEngine

extension ShardScenario {
    static let all = [
        ShardScenario("echo") { run in
            let address = try await run.begin(echo)
            for _ in 0..<2 {
                try await run.client(of: address) { client in
                    for _ in 0..<3 { try client.echo(pattern(700)) }
                }
            }
        },
        ShardScenario("a read with a deadline") { run in
            let address = try await run.begin { connection in
                while let bytes = try await connection.read(timeout: .milliseconds(3)) {
                    try await connection.write(bytes)
                }
            }
            try await run.client(of: address) { client in
                try client.echo(pattern(10))
                _ = try client.receiveToEnd()
            }
        },
        ShardScenario("writes that wait") { run in
            let address = try await run.begin { connection in
                try connection.setWriteBufferLimits(low: 1_000, high: 5_000)
                for _ in 0..<20 { try await connection.write(pattern(4_000)) }
            }
            try await run.client(of: address) { client in
                for _ in 0..<20 { try client.expect(pattern(4_000)) }
            }
        },
        ShardScenario("a half-close") { run in
            let address = try await run.begin { connection in
                var byteCount = 0
                while let bytes = try await connection.read() { byteCount += bytes.byteCount }
                try await connection.write(pattern(byteCount))
                try connection.finish()
                try await connection.close()
            }
            try await run.client(of: address) { client in
                try client.send(pattern(5_000))
                client.endOutput()
                try client.expect(pattern(5_000))
            }
        },
        ShardScenario("a close by the server") { run in
            let address = try await run.begin { connection in
                try await connection.write(pattern(5_000))
                try await connection.close(timeout: .seconds(5))
            }
            try await run.client(of: address) { try $0.expect(pattern(5_000)) }
        },
        ShardScenario("an abort") { run in
            let address = try await run.begin { connection in
                _ = try await connection.read()
                connection.abort()
            }
            try await run.client(of: address) { client in
                try client.send([1])
                _ = try client.receiveToEnd()
            }
        },
        ShardScenario("a handler that throws") { run in
            struct NotThis: Error {}
            let address = try await run.begin { connection in
                _ = try await connection.read()
                throw NotThis()
            }
            try await run.client(of: address) { client in
                try client.send([1])
                _ = try client.receiveToEnd()
            }
        },
        ShardScenario("a deadline of a connection") { run in
            let address = try await run.begin { connection in
                let soon = Deadline.after(.milliseconds(3), from: MonotonicClock.nanoseconds())
                try connection.setDeadline(soon)
                while let bytes = try await connection.read() { try await connection.write(bytes) }
            }
            try await run.client(of: address) { _ = try $0.receiveToEnd() }
        },
        ShardScenario("a connection that is made") { run in
            let address = try await run.begin(echo)
            for _ in 0..<2 { try await run.on { try await exchange($0, with: address) } }
        },
        ShardScenario("a connect that is refused") { run in
            let reason = await thrownReason {
                try await run.on { shard in
                    _ = try await shard.connect(to: .tcp(host: "127.0.0.1", port: 1)).abort()
                }
            }
            #expect(reason != nil)
        },
        ShardScenario("a server that is cancelled") { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let serving = run.task { _ in try await listener.serve(echo) }
            try await run.on { shard in try await shard.sleep(for: .milliseconds(2)) }
            serving.cancel()
            _ = await serving.result
        },
        ShardScenario("a client that resets") { run in
            let address = try await run.begin(echo)
            try await run.client(of: address) { client in
                try client.send(pattern(5_000))
                _ = try client.receiveSome(10)
                client.reset()
            }
        },
        ShardScenario("work for another shard", shards: 2) { run in
            let address = try await run.begin(on: 1..<2) { connection in
                while let bytes = try await connection.read() {
                    let index = try await connection.shard.submit(to: 0) { $0.index }
                    guard index == 0 else { throw WrongBytes() }
                    try await connection.write(bytes)
                }
            }
            try await run.client(of: address) { client in
                for _ in 0..<3 { try client.echo(pattern(100)) }
            }
        },
        ShardScenario("connections that are handed over", shards: 2) { run in
            let address = try await run.begin(on: 0..<2, placement: .distributed, echo)
            for _ in 0..<4 { try await run.client(of: address) { try $0.echo(pattern(100)) } }
        },
        ShardScenario("two shards at one address", shards: 2) { run in
            let address = try await run.begin(on: 0..<2, echo)
            for _ in 0..<4 { try await run.client(of: address) { try $0.echo(pattern(100)) } }
        },
    ]

    private static func exchange(_ shard: Shard, with address: SocketAddress) async throws {
        let port = address.port ?? 0
        // As `ShardedRun.listen` chose the host.
        try await shard.withConnection(to: .tcp(host: "127.0.0.1", port: port)) { connection in
            try await connection.write(pattern(300))
            let echoed = try await connection.readArray(atLeast: 300)
            if echoed.count < 300 { throw EndedEarly() }
            if echoed != pattern(300) { throw WrongBytes() }
        }
    }
}
