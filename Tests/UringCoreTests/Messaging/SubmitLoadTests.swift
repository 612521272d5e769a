import Testing

@testable import UringCore
@testable import UringEngine

/// Many submits at once, among shards that are awake and asleep: none is lost.
@Suite(.serialized) struct SubmitLoadTests {
    @Test func aMillionAmongFourShards() async throws {
        let shardCount = 4
        let tasksEach = 25
        let submitsEach = 10_000 / slowdown
        try await withShards(shardCount) { run in
            let counts = run.shards.map { ShardLocal(0, on: $0) }
            let tasks = (0..<shardCount * tasksEach).map { number in
                run.task(on: number % shardCount) { shard in
                    var numbers = SeededNumbers(seed: UInt64(number))
                    for submit in 0..<submitsEach {
                        let target = Int.random(in: 0..<shardCount, using: &numbers)
                        let answer = try await shard.submit(to: target) { there in
                            counts[there.index].withState { $0 += 1 }
                            return submit
                        }
                        #expect(answer == submit)
                    }
                }
            }
            for task in tasks { try await ended(task, "a task that submits") }
            var total = 0
            for (index, count) in counts.enumerated() {
                total += try await run.on(index) { _ in count.withState { $0 } }
            }
            #expect(total == shardCount * tasksEach * submitsEach)
        }
    }

    /// One at a time, so that the other shard is asleep each time.
    @Test func pingPongBetweenShardsThatSleep() async throws {
        try await withShards(2) { run in
            let rounds = 5_000
            let total = try await run.on(0) { shard in
                var total = 0
                for round in 0..<rounds {
                    total += try await shard.submit(to: 1) { _ in round }
                }
                return total
            }
            #expect(total == rounds * (rounds - 1) / 2)
        }
    }

    @Test func postsOfManyThreadsAllArriveInTheirOrder() async throws {
        try await withShards(2) { run in
            let shard = run.shards[0]
            let seen = ShardLocal([[Int]](repeating: [], count: 4), on: run.shards[1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 0..<4 {
                    group.addTask {
                        try await onThread {
                            for number in 0..<25_000 {
                                try shard.post(to: 1) { _ in
                                    seen.withState { $0[sender].append(number) }
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let all = try await run.on(1) { _ in seen.withState { $0 } }
            #expect(all == Array(repeating: Array(0..<25_000), count: 4))
        }
    }
}
