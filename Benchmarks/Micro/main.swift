// What one scheduling step costs on one loop, in nanoseconds of the thread's CPU time: the least of many rounds, since a
// shared machine only ever adds. Each figure stands beside its target; a miss is reported, never an error. With `connects`
// as its argument it compares two ways to time a connect instead.

import Glibc
import UringEngine

let rounds = 200
let stepsPerRound = 1_000

func threadNanoseconds() -> UInt64 {
    var reading = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &reading)
    return UInt64(reading.tv_sec) * 1_000_000_000 + UInt64(reading.tv_nsec)
}

/// The least cost of a step over all rounds; `round` does `steps` of them.
func cost(steps: Int = stepsPerRound, _ round: () throws -> Void) rethrows -> Double {
    var least = UInt64.max
    for _ in 0..<rounds {
        let start = threadNanoseconds()
        try round()
        least = min(least, threadNanoseconds() - start)
    }
    return Double(least) / Double(steps)
}

final class CountingTarget: JobTarget {
    var count = 0

    func runJob(tag: UInt8) { count += 1 }
}

struct Row {
    let name: String
    let nanoseconds: Double
    let target: Double
}

func measure() throws -> [Row] {
    var options = LoopOptions()
    // Each round's jobs run in one tick, however slow the machine.
    options.limits.jobsBudget = .seconds(60)
    let loop = try EventLoop(options)
    defer { loop.shutDown() }
    var rows: [Row] = []
    var count = 0
    var rng = SystemRandomNumberGenerator()

    let closure = try cost {
        for _ in 0..<stepsPerRound { loop.callSoon { count += 1 } }
        try loop.runOnce()
    }
    rows.append(Row(name: "callSoon, closure", nanoseconds: closure, target: 80))

    let handle = try cost {
        for _ in 0..<stepsPerRound { _ = loop.callSoonWithHandle { count += 1 } }
        try loop.runOnce()
    }
    rows.append(Row(name: "callSoon, with handle", nanoseconds: handle, target: 160))

    let target = CountingTarget()
    let job = try cost {
        for _ in 0..<stepsPerRound { loop.schedule(target, tag: 0) }
        try loop.runOnce()
    }
    rows.append(Row(name: "internal job", nanoseconds: job, target: 15))

    nonisolated(unsafe) var posted = 0
    let post = try cost {
        for _ in 0..<stepsPerRound { loop.callSoonThreadsafe { posted += 1 } }
        try loop.runOnce()
    }
    rows.append(Row(name: "callSoonThreadsafe, awake loop", nanoseconds: post, target: 120))

    let base = UInt64.max / 4
    for _ in 0..<100_000 {
        _ = loop.addTimer(at: base + .random(in: 0..<1_000_000_000, using: &rng), .closure {})
    }
    let deadlines = (0..<stepsPerRound).map { _ in
        base + UInt64.random(in: 0..<1_000_000_000, using: &rng)
    }
    let timer = cost {
        for deadline in deadlines {
            loop.cancelTimer(loop.addTimer(at: deadline, .target(target, tag: 0)))
        }
    }
    rows.append(Row(name: "timer add + cancel among 100,000", nanoseconds: timer, target: 100))
    precondition(
        count == 2 * rounds * stepsPerRound && target.count == rounds * stepsPerRound
            && posted == rounds * stepsPerRound,
        "every job ran once"
    )
    return rows
}

func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

func tenths(_ value: Double) -> String {
    let scaled = Int((value * 10).rounded())
    return "\(scaled / 10).\(scaled % 10)"
}

if CommandLine.arguments.dropFirst() == ["connects"] {
    try Connects.compare()
} else {
    print("| step | ns | target | |")
    print("|---|---|---|---|")
    for row in try measure() {
        let verdict = row.nanoseconds <= row.target ? "met" : "missed"
        print(
            "| \(pad(row.name, 34)) | \(tenths(row.nanoseconds)) | \(Int(row.target)) | \(verdict) |"
        )
    }
}
