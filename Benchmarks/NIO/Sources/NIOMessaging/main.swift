// What messages between two event loops cost, as Benchmarks/Messaging measures it for uringcore.
// Prints one JSON object.

import NIOCore
import NIOPosix
import Synchronization

let batchesMax = 31

func now() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// There and back by a task's continuation: `execute` there, and the promise's way back.
func roundTrip(_ here: any EventLoop, _ there: any EventLoop, count: Int) async throws -> Double {
    var batches: [Double] = []
    for _ in 0..<batchesMax {
        let begin = now()
        try await here.flatSubmit { bounce(here, there, count) }.get()
        batches.append(Double(now() - begin) / Double(count))
    }
    return median(batches)
}

/// Bounces a message `count` times between two loops.
func bounce(_ here: any EventLoop, _ there: any EventLoop, _ count: Int) -> EventLoopFuture<Void> {
    let done = here.makePromise(of: Void.self)
    @Sendable func turn(_ left: Int) {
        guard left > 0 else { return done.succeed() }
        there.execute { here.execute { turn(left - 1) } }
    }
    here.execute { turn(count) }
    return done.futureResult
}

/// One way: what `execute` costs its caller.
func oneWay(_ here: any EventLoop, _ there: any EventLoop, isParked: Bool) async throws -> Double {
    var batches: [Double] = []
    for _ in 0..<batchesMax {
        if isParked {
            var sum = 0.0
            for _ in 0..<20 {
                // Long enough for the other loop to fall asleep.
                try await Task.sleep(for: .milliseconds(1))
                sum += try await here.submit { timed(1) { there.execute {} } }.get()
            }
            batches.append(sum / 20)
        } else {
            batches.append(try await here.submit { timed(1_000) { there.execute {} } }.get())
            try await there.submit {}.get()
        }
    }
    return median(batches)
}

func timed(_ count: Int, _ body: () -> Void) -> Double {
    let begin = now()
    for _ in 0..<count { body() }
    return Double(now() - begin) / Double(count)
}

/// Keeps a loop awake until told to stop.
final class Spinner: Sendable {
    private let isOn = Atomic(true)

    func run(on loop: any EventLoop) {
        guard isOn.load(ordering: .relaxed) else { return }
        loop.execute { self.run(on: loop) }
    }

    func stop() { isOn.store(false, ordering: .relaxed) }
}

let group = MultiThreadedEventLoopGroup(pinnedCPUIDs: [0, 1])
let loops = group.makeIterator().map { $0 }
var rows: [(String, Double)] = []
rows.append(("one_way_parked_ns", try await oneWay(loops[0], loops[1], isParked: true)))
rows.append(("round_trip_parked_ns", try await roundTrip(loops[0], loops[1], count: 200)))
let spinner = Spinner()
for loop in loops { spinner.run(on: loop) }
rows.append(("one_way_awake_ns", try await oneWay(loops[0], loops[1], isParked: false)))
rows.append(("round_trip_awake_ns", try await roundTrip(loops[0], loops[1], count: 2_000)))
spinner.stop()
print("{" + rows.map { "\"\($0.0)\": \($0.1.rounded())" }.joined(separator: ", ") + "}")
try await group.shutdownGracefully()
