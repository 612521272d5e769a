// What messages between two shards cost: one way, and there and back, with the other shard asleep and
// awake; how many wakes a burst takes. Prints one JSON object.
//
// Wall time, since most of a wake is the other core's way out of its sleep; the median of batches.

import Logging
import Synchronization
import UringCore
import UringEngine

let batchesMax = 31

func nanoseconds(_ body: () async throws -> Void) async rethrows -> Double {
    let begin = MonotonicClock.nanoseconds()
    try await body()
    return Double(MonotonicClock.nanoseconds() - begin)
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// There and back: the caller's task waits for the answer.
func roundTrip(_ shard: Shard, count: Int) async throws -> Double {
    var batches: [Double] = []
    for _ in 0..<batchesMax {
        let time = try await nanoseconds {
            for _ in 0..<count { try await shard.submit(to: 1) { _ in } }
        }
        batches.append(time / Double(count))
    }
    return median(batches)
}

/// One way: what a post costs its caller, when the other shard has fallen asleep before each, or is awake.
func oneWay(_ shard: Shard, isParked: Bool) async throws -> Double {
    var batches: [Double] = []
    for _ in 0..<batchesMax {
        let count = isParked ? 20 : 1_000
        var sum = 0.0
        for _ in 0..<count {
            if isParked { try await untilParked(shard) }
            let begin = MonotonicClock.nanoseconds()
            try shard.post(to: 1) { _ in }
            sum += Double(MonotonicClock.nanoseconds() - begin)
        }
        batches.append(sum / Double(count))
        try await shard.submit(to: 1) { _ in }
    }
    return median(batches)
}

func untilParked(_ shard: Shard) async throws {
    let other = try await shard.submit(to: 1) { $0 }
    while !other.loop.heartbeat.isParked { try await shard.sleep(for: .microseconds(50)) }
    try await shard.sleep(for: .microseconds(100))
}

/// Keeps a shard awake: a job that runs again and again, until told to stop.
final class Spinner: Sendable {
    private let isOn = Atomic(true)

    func run(on loop: EventLoop) {
        guard isOn.load(ordering: .relaxed) else { return }
        loop.callSoon { self.run(on: loop) }
    }

    func stop() { isOn.store(false, ordering: .relaxed) }
}

func measure(on shard: Shard) async throws -> [(String, Double)] {
    var rows: [(String, Double)] = []
    rows.append(("one_way_parked_ns", try await oneWay(shard, isParked: true)))
    rows.append(("round_trip_parked_ns", try await roundTrip(shard, count: 200)))

    // Each post of a burst from one job: only the first may find the other shard asleep.
    try await untilParked(shard)
    let before = try await shard.submit(to: 1) { $0.loop.metrics.wakes }
    try await untilParked(shard)
    for _ in 0..<1_000 { try shard.post(to: 1) { _ in } }
    let after = try await shard.submit(to: 1) { $0.loop.metrics.wakes }
    rows.append(("eventfd_writes_in_1000_posts", Double(after - before)))

    let spinner = Spinner()
    try await shard.submit(to: 1) { spinner.run(on: $0.loop) }
    spinner.run(on: shard.loop)
    rows.append(("one_way_awake_ns", try await oneWay(shard, isParked: false)))
    rows.append(("round_trip_awake_ns", try await roundTrip(shard, count: 2_000)))
    spinner.stop()
    return rows
}

var configuration = Configuration()
configuration.cores = .all
configuration.stallLimit = .zero
let supervisor = try Supervisor(
    configuration: configuration,
    logger: Logger(label: "messaging") { _ in SwiftLogNoOpLogHandler() }
)
try await supervisor.run { shard in
    guard shard.index == 0 else { return try await shard.untilDrain() }
    let rows = try await measure(on: shard)
    print("{" + rows.map { "\"\($0.0)\": \($0.1.rounded())" }.joined(separator: ", ") + "}")
    supervisor.drain()
}
