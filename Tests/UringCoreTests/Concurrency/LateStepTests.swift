import Testing

@testable import UringCore
@testable import UringEngine

/// Tasks of a shard that outlive the run: each goes on and ends, somewhere.
@Suite(.serialized) struct LateStepTests {
    @Test func aTaskAtAGateGoesOnAfterTheEnd() async throws {
        let gate = TaskGate()
        let left = LeftValue<Task<[IOError.Reason?], any Error>>()
        try await withShards(2) { run in
            left.put(
                run.task { shard in
                    await gate.opened()
                    return [
                        await thrownReason { try await shard.sleep(for: .zero) },
                        await thrownReason { try await shard.untilDrain() },
                        await thrownReason { try await shard.submit(to: 1) { _ in } },
                        await thrownReason { try shard.post(to: 0) { _ in } },
                        await thrownReason { try shard.listen(.tcp(host: "127.0.0.1", port: 0)) },
                    ]
                }
            )
        } whenEnded: {
            gate.open()
            let reasons = try await ended(try left.take("a task"), "a task at a gate")
            #expect(reasons == [.wrongShard, .wrongShard, .closed, .closed, .wrongShard])
        }
    }

    @Test func manyTasksGoOnAfterTheEnd() async throws {
        let gates = (0..<200).map { _ in TaskGate() }
        let left = LeftValue<[Task<Int, any Error>]>()
        try await withShards(2) { run in
            left.put(
                gates.enumerated().map { number, gate in
                    run.task(on: number % 2) { _ in
                        await gate.opened()
                        await Task.yield()
                        return number
                    }
                }
            )
        } whenEnded: {
            let tasks = try left.take("tasks")
            for gate in gates { gate.open() }
            for (number, task) in tasks.enumerated() {
                #expect(try await ended(task, "a task at a gate") == number)
            }
        }
    }

    @Test func aShardsSleepEndsWithTheShard() async throws {
        let left = LeftValue<Task<Void, any Error>>()
        try await withShards { run in
            let gate = EventGate()
            left.put(
                run.task { shard in
                    gate.open()
                    try await shard.sleep(for: .seconds(3_600))
                }
            )
            try await gate.opened("a sleep")
            run.endHandlers()
        } whenEnded: {
            let task = try left.take("a task")
            #expect(await thrownReason { try await ended(task, "a sleep") } == .closed)
        }
    }

    @Test func aWaitForTheDrainEndsWithTheShard() async throws {
        let left = LeftValue<Task<Void, any Error>>()
        try await withShards { run in
            let gate = EventGate()
            left.put(
                run.task { shard in
                    gate.open()
                    try await shard.untilDrain()
                }
            )
            try await gate.opened("a wait")
            run.endHandlers()
        } whenEnded: {
            try await ended(try left.take("a task"), "a wait")
        }
    }

    @Test func anActorOfAnEndedShardStillAnswers() async throws {
        let left = LeftValue<Counting>()
        try await withShards { run in
            left.put(Counting(run.shards[0]))
        } whenEnded: {
            let actor = try left.take("an actor")
            let counts = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<100 { group.addTask { await actor.add() } }
                    try await group.waitForAll()
                }
                return await actor.count
            }
            #expect(try await ended(counts, "calls of an actor") == 100)
        }
    }

    @Test func aHandlerThatIgnoresTheEndIsLetGo() async throws {
        let gate = TaskGate()
        let alive = SharedCount()
        let outcomes = SharedList<IOError.Reason?>()
        let over = EventGate()
        let impatient: (inout Configuration) -> Void = { $0.drainTimeout = .milliseconds(100) }
        try await withShards(configure: impatient) { run in
            let inside = EventGate()
            let note: @Sendable (any Error) -> Void = {
                outcomes.append(($0 as? IOError)?.reason)
                over.open()
            }
            let hold: @Sendable (Connection) async throws -> Void = { connection in
                let token = CountedToken(alive)
                inside.open()
                await gate.opened()
                withExtendedLifetime(token) {}
                _ = try await connection.read()
            }
            let address = try await run.serve(onConnectionError: note, hold)
            let client = try await onThread {
                let client = try BlockingClient(to: address)
                try inside.wait("a handler")
                return client
            }
            run.endHandlers()
            try await run.awaitEnd()
            #expect(try await onThread { try client.ending() } == .reset)
            gate.open()
            try await over.opened("the end of a handler")
        }
        #expect(alive.value == 0)
        #expect(outcomes.all == [.wrongShard])
    }
}

/// An actor that lives on a shard.
private actor Counting {
    private nonisolated let shard: Shard
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        shard.actorExecutor.asUnownedSerialExecutor()
    }
    private(set) var count = 0

    init(_ shard: Shard) {
        self.shard = shard
    }

    func add() { count += 1 }
}
