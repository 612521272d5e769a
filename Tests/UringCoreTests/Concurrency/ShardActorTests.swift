import Testing

@testable import UringCore
@testable import UringEngine

/// Actors that live on a shard, and tasks with and without a preference for it.
@Suite(.serialized) struct ShardActorTests {
    @Test func anActorRunsOnItsShard() async throws {
        try await withShards(2) { run in
            let actor = Resident(run.shards[1])
            let facts = [
                await actor.isOnShard(),
                try await run.on(0) { _ in await actor.isOnShard() },
                try await run.on(1) { _ in await actor.isOnShard() },
            ]
            #expect(facts == [true, true, true])
        }
    }

    @Test func anActorUsesAConnectionWhateverItsTaskPrefers() async throws {
        try await withShards(2) { run in
            let pair = try await run.pair()
            let shard = pair.connection.shard
            let actor = Resident(shard)
            let client = pair.client
            let other = run.shards[1]
            let echoes: [@Sendable () async throws -> Bool] = [
                { try await Task { try await actor.echo(pair.connection) }.value },
                {
                    try await Task(executorPreference: shard.executor) {
                        try await actor.echo(pair.connection)
                    }.value
                },
                {
                    try await Task(executorPreference: other.executor) {
                        try await actor.echo(pair.connection)
                    }.value
                },
            ]
            for (number, echo) in echoes.enumerated() {
                let echoing = Task { try await echo() }
                // Half of the time the read suspends.
                if number % 2 == 0 { try await pair.on(.otherTask) { _ in } }
                try await onThread {
                    for _ in 0..<50 { try client.exchange([UInt8(number), 1, 2]) }
                }
                try client.send([255])
                let isOnShard = try await ended(echoing, "an echo \(number)")
                #expect(isOnShard, "each step was on the shard")
            }
            pair.end()
        }
    }

    /// Nothing keeps a shard from ending before a task of its own accord has begun to wait.
    @Test func anActorSleepsOnItsShard() async throws {
        try await withShards { run in
            let actor = Resident(run.shards[0])
            let sleep = try await ended(Task { try await actor.rest() }, "a sleep")
            #expect(sleep)
        }
    }

    @Test func anActorServes() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let actor = Resident(run.shards[0])
            let serving = Task { try await actor.serve(listener) }
            try await onThread {
                for _ in 0..<10 { try BlockingClient(to: listener.address).exchange([1, 2, 3]) }
            }
            serving.cancel()
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
        }
    }

    @Test func childrenStayOnTheShardAndOtherTasksDoNot() async throws {
        try await withShards { run in
            let places = try await run.on { shard in
                async let asyncLet = shard.isCurrent
                let child = await withTaskGroup(of: Bool.self) { group in
                    group.addTask { shard.isCurrent }
                    return await group.next() ?? false
                }
                return [
                    shard.isCurrent,
                    await asyncLet,
                    child,
                    await Task(executorPreference: shard.executor) { shard.isCurrent }.value,
                    await Task.immediate { shard.isCurrent }.value,
                    await Task { shard.isCurrent }.value,
                    await Task.detached { shard.isCurrent }.value,
                    shard.isCurrent,
                ]
            }
            #expect(places == [true, true, true, true, true, false, false, true])
        }
    }

    @Test func aTaskOffTheShardComesBackBySubmit() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                try await Task {
                    let here = shard.isCurrent
                    let there = try await shard.submit(to: shard.index) { $0.isCurrent }
                    return [here, there, shard.isCurrent]
                }.value
            }
            #expect(facts == [false, true, false])
        }
    }

    @Test func callsFromOffTheShardAreRefused() async throws {
        try await withShards(2) { run in
            let pair = try await run.pair()
            let connection = pair.connection
            let calls: @Sendable () async throws -> [IOError.Reason?] = {
                [
                    await thrownReason { try await connection.readArray() },
                    await thrownReason { try await connection.readArray(timeout: .zero) },
                    await thrownReason { try await connection.write([1]) },
                    await thrownReason { try await connection.write(received([1])) },
                    await thrownReason { try connection.finish() },
                    await thrownReason { try await connection.close() },
                    await thrownReason { try connection.setDeadline(nil) },
                    await thrownReason { try connection.setOption(.noDelay(true)) },
                    await thrownReason { try connection.setWriteBufferLimits(low: 0, high: 1) },
                    await thrownReason { try connection.localAddress },
                    await thrownReason { try connection.peerAddress },
                    await thrownReason { try await connection.shard.sleep(for: .zero) },
                    await thrownReason { try await connection.shard.untilDrain() },
                    await thrownReason { try connection.shard.isDraining },
                    await thrownReason {
                        try connection.shard.listen(.tcp(host: "127.0.0.1", port: 0))
                    },
                ]
            }
            let wrong = Array(repeating: IOError.Reason?.some(.wrongShard), count: 15)
            #expect(try await calls() == wrong)
            #expect(try await run.on(1) { _ in try await calls() } == wrong)
            #expect(try await Task { @MainActor in try await calls() }.value == wrong)
            // It was not harmed.
            try await pair.on(.handler) { try await $0.write([1]) }
            let client = pair.client
            #expect(try await onThread { try client.receive(1) } == [1])
            pair.end()
        }
    }

    /// Begun on the shard, a task without a preference leaves it with its first wait.
    @Test func aTaskThatLeavesTheShardIsToldAndLosesNothing() async throws {
        try await withShards { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let client = pair.client
            let task = try await pair.on(.otherTask) { connection in
                Task.immediate {
                    let began = connection.shard.isCurrent
                    return (began, await thrownReason { try await connection.readArray() })
                }
            }
            try client.send([1])
            let (began, reason) = await task.value
            #expect(began)
            #expect(reason == .wrongShard)
            #expect(try await pair.on(.handler) { try await $0.readArray() } == [1])

            let sleep = try await pair.on(.otherTask) { connection in
                Task.immediate {
                    await thrownReason { try await connection.shard.sleep(for: .zero) }
                }
            }
            #expect(await sleep.value == .wrongShard)

            let write = try await pair.on(.otherTask) { connection in
                try connection.setWriteBufferLimits(low: 0, high: 1)
                return Task.immediate { await thrownReason { try await connection.write([2]) } }
            }
            #expect(await write.value == .wrongShard)
            try await pair.on(.handler) { try await $0.write([3]) }
            #expect(try await onThread { try client.receive(2) } == [2, 3])

            let close = try await pair.on(.otherTask) { connection in
                Task.immediate { await thrownReason { try await connection.close() } }
            }
            #expect(await close.value == .wrongShard)
            #expect(try await onThread { try client.ending() } == .eof)
            pair.end()
        }
    }
}

/// An actor that lives on a shard.
private actor Resident {
    private nonisolated let shard: Shard
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        shard.actorExecutor.asUnownedSerialExecutor()
    }

    init(_ shard: Shard) {
        self.shard = shard
    }

    func isOnShard() -> Bool { shard.isCurrent }

    /// Echoes until a piece that begins with 255.
    ///
    /// - Returns: whether each step was on the shard.
    func echo(_ connection: Connection) async throws -> Bool {
        var isOnShard = shard.isCurrent
        while let bytes = try await connection.read() {
            isOnShard = isOnShard && shard.isCurrent
            if bytes.copyToArray()[0] == 255 { break }
            try await connection.write(bytes)
            isOnShard = isOnShard && shard.isCurrent
        }
        return isOnShard
    }

    func rest() async throws -> Bool {
        try await shard.sleep(for: .milliseconds(1))
        return shard.isCurrent
    }

    func serve(_ listener: Listener) async throws {
        try await listener.serve { connection in
            while let bytes = try await connection.read() { try await connection.write(bytes) }
        }
    }
}
