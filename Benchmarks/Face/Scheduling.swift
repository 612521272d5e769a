import UringCore
import UringEngine

/// What scheduling costs on one loop: the list that asyncio's loops are compared by.
struct Scheduling {
    private let shard: Shard
    private let batches: Int

    init(_ shard: Shard, batches: Int) {
        self.shard = shard
        self.batches = batches
    }

    func measure() async throws -> [Row] {
        var rows: [Row] = [
            ("sleep_0_ns", await yields()),
            ("gather_100_ns", await gather()),
            ("lock_ns", try await lock()),
            ("event_ns", try await event()),
            ("queue_ns", try await queue()),
            ("future_ns", await future()),
            ("call_soon_ns", try await callbacks { loop, body in loop.callSoon(body) }),
            (
                "call_later_ns",
                try await callbacks { loop, body in loop.callLater(.zero, body) }
            ),
            ("timer_cancel_ns", await timerCancel()),
        ]
        let batches = batches
        rows += try await withPair(on: shard) { here, there in
            [("socketpair_round_trip_ns", try await roundTrip(here, there, batches))]
        }
        return rows
    }

    /// Lets the loop turn once.
    private func yields() async -> Double {
        let count = 2_000
        return await median(of: batches, steps: count) {
            for _ in 0..<count { await Task.yield() }
        }
    }

    private func gather() async -> Double {
        await median(of: batches, steps: 10) {
            for _ in 0..<10 {
                await withTaskGroup(of: Int.self) { group in
                    for number in 0..<100 { group.addTask { number } }
                    var sum = 0
                    for await number in group { sum += number }
                }
            }
        }
    }

    private func lock() async throws -> Double {
        let lock = ShardSemaphore(permits: 1, on: shard)
        let count = 2_000
        return try await median(of: batches, steps: count) {
            for _ in 0..<count {
                try await lock.acquire()
                try lock.release()
            }
        }
    }

    /// A task sets, another waits, and back.
    private func event() async throws -> Double {
        let (ping, pong) = (ShardFlag(on: shard), ShardFlag(on: shard))
        let count = 500
        return try await median(of: batches, steps: 2 * count) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<count {
                        try await ping.wait()
                        try ping.reset()
                        try pong.set()
                    }
                }
                for _ in 0..<count {
                    try ping.set()
                    try await pong.wait()
                    try pong.reset()
                }
                try await group.waitForAll()
            }
        }
    }

    private func queue() async throws -> Double {
        let queue = ShardChannel<Int>(capacity: 16, on: shard)
        let count = 2_000
        return try await median(of: batches, steps: count) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for number in 0..<count { try await queue.send(number) } }
                for _ in 0..<count { _ = try await queue.receive() }
                try await group.waitForAll()
            }
        }
    }

    /// A result that a callback brings, and a task awaits.
    private func future() async -> Double {
        let count = 1_000
        return await median(of: batches, steps: count) {
            for _ in 0..<count {
                await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                    shard.loop.callSoon { continuation.resume() }
                }
            }
        }
    }

    private func callbacks(
        _ schedule: (EventLoop, @escaping () -> Void) -> Void
    ) async throws -> Double {
        let count = 1_000
        let done = ShardFlag(on: shard)
        return try await median(of: batches, steps: count) {
            try done.reset()
            let left = Countdown(count) { try? done.set() }
            for _ in 0..<count { schedule(shard.loop) { left.step() } }
            try await done.wait()
        }
    }

    private func timerCancel() async -> Double {
        let count = 1_000
        return await median(of: batches, steps: count) {
            for _ in 0..<count { shard.loop.callLater(.seconds(10)) {}.cancel() }
        }
    }
}

private func roundTrip(
    _ here: Connection,
    _ there: Connection,
    _ batches: Int
) async throws -> Double {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            while let bytes = try await there.read() { try await there.write(bytes) }
        }
        let count = 500
        let piece = [UInt8](repeating: 1, count: 1)
        let time = try await median(of: batches, steps: count) {
            for _ in 0..<count {
                try await here.write(piece)
                _ = try await here.read()
            }
        }
        try here.finish()
        try await group.waitForAll()
        return time
    }
}

/// Calls back after so many steps.
private final class Countdown {
    private var left: Int
    private let body: () -> Void

    init(_ count: Int, _ body: @escaping () -> Void) {
        left = count
        self.body = body
    }

    func step() {
        left -= 1
        if left == 0 { body() }
    }
}
