import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Connections by name, from an address, with options, and to Unix sockets.
@Suite(.serialized) struct ClientTests {
    @Test func connectsToANameOfTheSystem() async throws {
        try await withShards(2) { run in
            let listener = try await run.on(1) {
                try $0.listen(.tcp(host: "127.0.0.1", port: 0))
            }
            let serving = run.task(on: 1) { _ in try await listener.serve(echo) }
            let port = try #require(listener.address.port)
            let facts = try await run.on { shard in
                try await shard.withConnection(to: .tcp(host: "localhost", port: port)) {
                    try await $0.write([1, 2, 3])
                    let echoed = try await $0.readArray(atLeast: 3)
                    return (echoed, shard.isCurrent, try $0.peerAddress == listener.address)
                }
            }
            #expect(facts == ([1, 2, 3], true, true))
            #expect(run.shards[0].blockingPool.counters.completed == 1, "off the loop")
            serving.cancel()
            _ = await serving.result
        }
    }

    @Test func numericAddressesAskNobody() async throws {
        try await withShards { run in
            let address = try await run.serve(echo)
            let port = try #require(address.port)
            try await run.on { shard in
                try await shard.withConnection(to: .tcp(host: "127.0.0.1", port: port)) { _ in }
            }
            #expect(run.shards[0].blockingPool.counters.threadsStarted == 0)
        }
    }

    @Test func anotherAddressOfTheNameAnswersWhereOneRefuses() async throws {
        let closed = try freePort()
        let configure: (inout Configuration) -> Void = { configuration in
            configuration.resolver = StaticResolver([
                "two.test": [
                    .ipv6(0, 1, port: 0, scope: 0), .ipv4(0x7F00_0001, port: 0),
                ]
            ])
        }
        try await withShards(configure: configure) { run in
            let address = try await run.serve(echo)
            let port = try #require(address.port)
            let peer = try await run.on { shard in
                try await shard.withConnection(to: .tcp(host: "TWO.test", port: port)) {
                    try $0.peerAddress
                }
            }
            #expect(peer == address)
            let error = await #expect(throws: IOError.self) {
                try await run.on { shard in
                    _ = try await shard.connect(to: .tcp(host: "two.test", port: closed))
                }
            }
            #expect(error?.detail?.contains("[::1]:\(closed): ") == true, "\(error as Any)")
            #expect(error?.detail?.contains("127.0.0.1:\(closed): ") == true)
        }
    }

    @Test func aNameWithoutAnAddressIsNotFound() async throws {
        let configure: (inout Configuration) -> Void = {
            $0.resolver = StaticResolver(["empty.test": []])
        }
        try await withShards(configure: configure) { run in
            for name in ["empty.test", "unknown.test"] {
                let reason = try await run.on { shard in
                    await thrownReason { try await shard.connect(to: .tcp(host: name, port: 1)) }
                }
                #expect(reason == .nameNotResolved(.notFound))
            }
        }
    }

    @Test(arguments: [
        "", "a\0b", "a b", "ü.test", "a..b", ".a", "1.2.3", "256.1.1.1", "12345", "::g",
        "fe80::1%lo", String(repeating: "a", count: 64) + ".test",
        String(repeating: "abc.", count: 64),
    ])
    func whatIsNoNameIsAnError(name: String) async throws {
        try await withShards { run in
            let error = await #expect(throws: IOError.self) {
                try await run.on { shard in
                    _ = try await shard.connect(to: .tcp(host: name, port: 80))
                }
            }
            #expect(error?.reason == .invalidArgument)
            #expect(run.shards[0].blockingPool.counters.threadsStarted == 0, "nobody is asked")
        }
    }

    @Test func portZeroIsAnError() async throws {
        try await withShards { run in
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.connect(to: .tcp(host: "127.0.0.1", port: 0))
                }
            }
            #expect(reason == .invalidArgument)
        }
    }

    /// Resolves nothing before it is told to.
    private struct SlowResolver: Resolver {
        let begun: EventGate
        let hold: EventGate

        func addresses(
            of name: HostName,
            port: UInt16,
            on shard: Shard
        ) async throws(IOError) -> [SocketAddress] {
            do {
                try await shard.runInExecutor {
                    begun.open()
                    try hold.wait("the test")
                }
            } catch let error as IOError {
                throw error
            } catch {
                Issue.record("\(error)")
            }
            return []
        }
    }

    @Test func theTimeoutCountsForTheNameToo() async throws {
        let (begun, hold) = (EventGate(), EventGate())
        let configure: (inout Configuration) -> Void = {
            $0.resolver = SlowResolver(begun: begun, hold: hold)
        }
        try await withShards(configure: configure) { run in
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.connect(
                        to: .tcp(host: "slow.test", port: 1),
                        timeout: .milliseconds(20)
                    )
                }
            }
            #expect(reason == .deadlineExceeded)
            hold.open()
        }
    }

    @Test func aCancellationEndsAResolution() async throws {
        let (begun, hold) = (EventGate(), EventGate())
        let configure: (inout Configuration) -> Void = {
            $0.resolver = SlowResolver(begun: begun, hold: hold)
        }
        try await withShards(configure: configure) { run in
            let connecting = run.task { shard in
                try await shard.connect(to: .tcp(host: "slow.test", port: 1))
            }
            try await begun.opened("a resolution")
            connecting.cancel()
            let reason = await thrownReason { try await ended(connecting, "a connect") }
            #expect(reason == .cancelled)
            hold.open()
        }
    }

    @Test func comesFromTheLocalAddressWithItsOptions() async throws {
        try await withShards { run in
            let peers = SharedList<SocketAddress>()
            let seen = EventGate()
            let address = try await run.serve { connection in
                peers.append(try connection.peerAddress)
                seen.open()
            }
            let port = try #require(address.port)
            let local = try await run.on { shard in
                var options = ConnectOptions()
                options.localAddress = .ipv4(0x7F00_0009, port: 0)
                options.keepAlive = KeepAlive(idle: .seconds(11), interval: .seconds(3), count: 4)
                options.socketOptions = [.userTimeout(.seconds(5))]
                let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)
                return try await shard.withConnection(to: endpoint, using: options) {
                    #expect(try $0.option(.keepAliveIdle) == .keepAliveIdle(.seconds(11)))
                    #expect(try $0.option(.userTimeout) == .userTimeout(.seconds(5)))
                    try $0.setOption(.keepAliveCount(9))
                    #expect(try $0.option(.keepAliveCount) == .keepAliveCount(9))
                    return try $0.localAddress
                }
            }
            try await seen.opened("the connection")
            #expect(peers.all == [local])
            guard case .ipv4(0x7F00_0009, _) = local else {
                Issue.record("it comes from \(local)")
                return
            }
        }
    }

    @Test func connectsToUnixSocketsOfEitherKind() async throws {
        let path = "/tmp/uringcore-client-\(getpid()).sock"
        try await withShards { run in
            for endpoint in [Endpoint.abstract(name: "client-\(getpid())"), .unix(path: path)] {
                let listener = try await run.on { try $0.listen(endpoint) }
                let serving = run.task { _ in try await listener.serve(echo) }
                let echoed = try await run.on { shard in
                    try await shard.withConnection(to: endpoint) {
                        try await $0.write([1, 2])
                        return try await $0.readArray(atLeast: 2)
                    }
                }
                #expect(echoed == [1, 2])
                serving.cancel()
                _ = await serving.result
            }
        }
    }

    @Test func familiesTakeTurns() {
        let six = (1...3).map { SocketAddress.ipv6(0, $0, port: 1, scope: 0) }
        let four = (1...2).map { SocketAddress.ipv4($0, port: 1) }
        #expect(
            SocketAddress.interleaved(six + four + six)
                == [six[0], four[0], six[1], four[1], six[2]]
        )
        #expect(SocketAddress.interleaved(four + six.prefix(1)) == [four[0], six[0], four[1]])
        #expect(SocketAddress.interleaved([]) == [])
    }
}
