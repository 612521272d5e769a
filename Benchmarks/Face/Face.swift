import UringCore
import UringEngine

/// What one step of the async face costs.
struct Face {
    private let shard: Shard
    private let batches: Int

    init(_ shard: Shard, batches: Int) {
        self.shard = shard
        self.batches = batches
    }

    func measure() async throws -> [Row] {
        let (shard, batches) = (shard, batches)
        var rows = try await withPair(on: shard) { here, there in
            [
                ("read_ready_ns", try await readReady(shard, here, there, batches)),
                ("read_suspended_ns", try await readSuspended(here, there, batches)),
                ("write_ns", try await write(here, there, batches)),
            ]
        }
        rows.append(("spawn_ns", try await spawn()))
        if shard.count > 1 { rows.append(("submit_ns", try await submit())) }
        return rows
    }

    /// A task that does nothing, as the child of a group, on the same shard.
    private func spawn() async throws -> Double {
        let count = 1_000
        return await median(of: batches, steps: count) {
            await withDiscardingTaskGroup { group in
                for _ in 0..<count { group.addTask {} }
            }
        }
    }

    /// There and back, the other shard awake or just fallen asleep.
    private func submit() async throws -> Double {
        let count = 500
        return try await median(of: batches, steps: count) {
            for _ in 0..<count { try await shard.submit(to: 1) { _ in } }
        }
    }
}

/// Pieces that have come and wait to be taken.
private func readReady(
    _ shard: Shard,
    _ here: Connection,
    _ there: Connection,
    _ batches: Int
) async throws -> Double {
    let piece = [UInt8](repeating: 1, count: 64)
    // As many as SwiftNIO's channel holds before it stops to read.
    let count = 8
    var times: [Double] = []
    for _ in 0..<batches {
        for _ in 0..<count {
            try await here.write(piece)
            // It is received before the next is sent: a piece of its own.
            for _ in 0..<3 { try await shard.sleep(for: .zero) }
        }
        let begin = MonotonicClock.nanoseconds()
        var taken = 0
        var pieceCount = 0
        while taken < count * piece.count, let bytes = try await there.read() {
            taken += bytes.byteCount
            pieceCount += 1
        }
        times.append(Double(MonotonicClock.nanoseconds() - begin) / Double(pieceCount))
    }
    return times.sorted()[times.count / 2]
}

/// A read that waits, with the write that ends it and the kernel's part in both.
private func readSuspended(
    _ here: Connection,
    _ there: Connection,
    _ batches: Int
) async throws -> Double {
    let piece = [UInt8](repeating: 1, count: 64)
    let count = 500
    return try await median(of: batches, steps: count) {
        for _ in 0..<count {
            try await here.write(piece)
            _ = try await there.read()
        }
    }
}

/// A write that does not wait, without what sending it costs later.
private func write(
    _ here: Connection,
    _ there: Connection,
    _ batches: Int
) async throws -> Double {
    let piece = [UInt8](repeating: 1, count: 64)
    let count = 200
    var times: [Double] = []
    for _ in 0..<batches {
        let begin = MonotonicClock.nanoseconds()
        for _ in 0..<count { try await here.write(piece) }
        times.append(Double(MonotonicClock.nanoseconds() - begin) / Double(count))
        var taken = 0
        while taken < count * piece.count, let bytes = try await there.read() {
            taken += bytes.byteCount
        }
    }
    return times.sorted()[times.count / 2]
}
