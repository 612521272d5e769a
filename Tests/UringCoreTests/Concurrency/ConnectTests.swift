import Testing

@testable import UringCore
@testable import UringEngine

/// Connections that a shard makes.
@Suite("Connecting from a shard", .serialized)
struct ConnectTests {
    /// What connects: by itself, or for a scope.
    enum Way: CaseIterable {
        case plain
        case scoped
    }

    @Test(arguments: Way.allCases)
    func talksToAnotherShard(_ way: Way) async throws {
        try await withShards(2) { run in
            let address = try await run.serve(on: 1..<2, echo)
            let echoed = try await run.on { shard in
                try await shard.using(way, address) { connection in
                    #expect(connection.shard.index == 0)
                    #expect(try connection.peerAddress == address)
                    try await connection.write(KnownBytes.bytes(at: 0, count: 40_000))
                    return try await connection.readArray(atLeast: 40_000)
                }
            }
            #expect(echoed == KnownBytes.bytes(at: 0, count: 40_000))
        }
    }

    @Test(arguments: Way.allCases)
    func namesTheAddressThatRefuses(_ way: Way) async throws {
        try await withShards { run in
            let port = try freePort()
            let error = try await run.on { shard in
                do {
                    try await shard.using(way, .ipv4(0x7F00_0001, port: port)) { _ in }
                    return nil as IOError?
                } catch {
                    return error as? IOError
                }
            }
            #expect(error?.errno == .connectionRefused)
            #expect(error.map { "\($0)" }?.contains("127.0.0.1:\(port)") == true)
        }
    }

    @Test(arguments: Way.allCases)
    func throwsWhenTheTimeIsOver(_ way: Way) async throws {
        try await withShards { run in
            let silent = try await run.silentListener()
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.using(way, silent.address, timeout: .milliseconds(20)) { _ in }
                }
            }
            #expect(reason == .deadlineExceeded)
        }
    }

    @Test(arguments: Way.allCases)
    func leavesNothingWhenItsTaskIsCancelled(_ way: Way) async throws {
        try await withShards { run in
            let silent = try await run.silentListener()
            let connecting = run.task { shard in
                try await shard.using(way, silent.address, timeout: .seconds(100)) { _ in }
            }
            try await run.eventually("a connect in flight", on: run.shards[0]) {
                $0.loop.metrics.operationsInFlight == 1
            }
            connecting.cancel()
            let reason = await thrownReason { try await ended(connecting, "a connect") }
            #expect(reason == .cancelled)
        }
    }

    @Test func aCancelledTaskDoesNotConnect() async throws {
        try await withShards { run in
            let address = try await run.serve(echo)
            let reason = try await run.on { shard in
                await withTaskGroup(of: IOError.Reason?.self) { group in
                    group.cancelAll()
                    group.addTask {
                        await thrownReason { try await shard.using(.scoped, address) { _ in } }
                    }
                    return await group.next() ?? nil
                }
            }
            #expect(reason == .cancelled)
        }
    }

    /// A task without a preference leaves the shard with its first wait.
    @Test func leavesNothingWhenItsTaskGoesOnElsewhere() async throws {
        try await withShards { run in
            let address = try await run.serve(echo)
            let shard = run.shards[0]
            let left = LeftValue<Task<IOError.Reason?, Never>>()
            shard.loop.callSoonThreadsafe {
                left.put(
                    Task.immediate {
                        await thrownReason { try await shard.using(.plain, address) { _ in } }
                    }
                )
            }
            let connecting = try await onThread { try left.take("a task that connects") }
            #expect(await connecting.value == .wrongShard)
            // `withShards` expects that no connection is left.
        }
    }

    @Test func elsewhereThanOnItsShardIsWrongShard() async throws {
        try await withShards(2) { run in
            let address = try await run.serve(echo)
            let shard = run.shards[0]
            let reason = try await run.on(1) { _ in
                await thrownReason { try await shard.using(.plain, address) { _ in } }
            }
            #expect(reason == .wrongShard)
        }
    }

    @Test func aScopeThatThrowsResetsAndOneThatReturnsCloses() async throws {
        try await withShards { run in
            let ends = SharedList<String>()
            let gate = EventGate()
            let address = try await run.serve { connection in
                defer { gate.open() }
                do {
                    let bytes = try await connection.readArray(atLeast: 100)
                    ends.append("\(bytes.count) bytes")
                } catch let error as IOError {
                    ends.append("\(error.reason)")
                }
            }
            try await run.on { shard in
                try await shard.using(.scoped, address) { try await $0.write([1, 2, 3]) }
            }
            try await gate.opened("the first end")
            let reason = try await run.on { shard in
                await thrownReason {
                    try await shard.using(.scoped, address) { _ in
                        throw IOError(.wait, reason: .busy)
                    }
                }
            }
            try await gate.opened("the second end")
            #expect(reason == .busy, "what the scope throws comes out as it is")
            #expect(ends.all == ["3 bytes", "\(IOError.Reason.errno(.connectionReset))"])
        }
    }
}

extension Shard {
    /// Connects in one way or the other, and closes after `body`.
    fileprivate func using<Value>(
        _ way: ConnectTests.Way,
        _ address: SocketAddress,
        timeout: Duration = .seconds(60),
        _ body: (Connection) async throws -> Value
    ) async throws -> Value {
        guard case .ipv4(let host, let port) = address else {
            preconditionFailure("tests listen on 127.0.0.0/8")
        }
        let text = stride(from: 24, through: 0, by: -8).map { "\(host >> $0 & 0xFF)" }
        let endpoint = Endpoint.tcp(host: text.joined(separator: "."), port: port)
        switch way {
        case .scoped: return try await withConnection(to: endpoint, timeout: timeout, body)
        case .plain:
            let connection = try await connect(to: endpoint, timeout: timeout)
            let value = try await body(connection)
            try await connection.close()
            return value
        }
    }
}

extension ShardedRun {
    /// A listener whose queue is full: who connects gets no answer.
    fileprivate func silentListener() async throws -> SilentListener {
        var options = ListenerOptions()
        options.backlog = 1
        let listener = try await listen(on: 0..<1, options)[0]
        let clients = try await onThread {
            try (0..<2).map { _ in try BlockingClient(to: listener.address) }
        }
        return SilentListener(address: listener.address, clients: clients)
    }
}

private struct SilentListener {
    let address: SocketAddress
    /// They fill its queue as long as they live.
    let clients: [BlockingClient]
}
