import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct ShardTests {
    @Test func sleepsAtLeastAsLongAsAsked() async throws {
        try await withShards { run in
            let isEarly = try await run.on { shard in
                // A long turn: the loop's own reading of the clock is old by now.
                let turn = Deadline.after(.milliseconds(30))
                while Deadline.now < turn {}
                let end = Deadline.after(.milliseconds(20))
                try await shard.sleep(for: .milliseconds(20))
                return Deadline.now < end
            }
            #expect(!isEarly)
        }
    }

    @Test(arguments: [Duration.zero, .seconds(-5), .nanoseconds(1)])
    func aSleepOfNoLengthStillLetsOthersRun(_ duration: Duration) async throws {
        try await withShards { run in
            let hasYielded = try await run.on { shard in
                let yields = SharedCount()
                shard.loop.callSoon { yields.add() }
                try await shard.sleep(for: duration)
                return yields.value == 1
            }
            #expect(hasYielded)
        }
    }

    @Test func manySleepAtOnce() async throws {
        try await withShards { run in
            let awake = SharedCount()
            try await run.on { shard in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in (0..<1_000).reversed() {
                        group.addTask {
                            try await shard.sleep(for: .microseconds(100 * number))
                            awake.add()
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(awake.value == 1_000)
        }
    }

    @Test func aSleepTakesNoPost() async throws {
        try await withShards { run in
            let posts = try await run.on { shard in
                try await shard.sleep(for: .zero)
                let before = shard.loop.scheduler.counters.posts
                for _ in 0..<100 { try await shard.sleep(for: .zero) }
                return shard.loop.scheduler.counters.posts - before
            }
            #expect(posts == 0)
        }
    }

    @Test func knowsWhenItDrains() async throws {
        try await withShards { run in
            let facts = run.task { shard in
                let before = try shard.isDraining
                try await shard.untilDrain()
                // At once, the second time.
                try await shard.untilDrain()
                return (before, try shard.isDraining)
            }
            try await run.on { _ in }
            run.drain()
            #expect(try await ended(facts, "the drain") == (false, true))
        }
    }

    @Test func theDrainWakesAllWhoWaitForIt() async throws {
        try await withShards(2) { run in
            let waits = (0..<20).map { run.task(on: $0 % 2) { try await $0.untilDrain() } }
            run.drain()
            for wait in waits { try await ended(wait, "a wait for the drain") }
        }
    }

    @Test func theDrainEndsAnIdleConnectionAndNotABusyOne() async throws {
        try await withShards { run in
            let idle = try await run.pair()
            let idleRead = try await idle.started(.handler) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            let busy = try await run.pair()
            try busy.client.send([1])
            _ = try await busy.on(.handler) { try await $0.readArray() }
            let busyRead = try await busy.started(.handler) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            run.drain()
            #expect(try await ended(idleRead, "the idle one's read") == [])
            idle.end()
            // Half of a request was read: the rest of it may come.
            try busy.client.send([2])
            #expect(try await ended(busyRead, "the busy one's read") == [2])
            try await busy.on(.handler) { try await $0.write([3]) }
            let client = busy.client
            #expect(try await onThread { try client.receive(1) } == [3])
            #expect(try await busy.on(.handler) { try await $0.readArray() } == [])
            busy.end()
        }
    }
}
