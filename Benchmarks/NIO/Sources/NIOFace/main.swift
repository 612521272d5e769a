// What the async face costs, and what scheduling on one loop costs, as Benchmarks/Face measures it for
// uringcore: each figure the median of batches, in nanoseconds of wall time. Prints one JSON object. The
// argument is `face` or `scheduling`.

import NIOCore
import NIOPosix

typealias Row = (String, Double)
typealias Stream = NIOAsyncChannel<ByteBuffer, ByteBuffer>

let section = CommandLine.arguments.dropFirst().first ?? "face"
let batches = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 31
// Here: globals of this file are made in their order.
let piece = ByteBuffer(repeating: 1, count: 64)
let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
let rows = try await (section == "scheduling" ? scheduling() : face())
print("{" + rows.map { "\"\($0.0)\": \($0.1.rounded())" }.joined(separator: ", ") + "}")
try await group.shutdownGracefully()

func now() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

/// The median time of one of `count` steps, over batches; the first batch warms up.
func median(
    of batches: Int,
    steps count: Int,
    _ body: () async throws -> Void
) async rethrows -> Double {
    var times: [Double] = []
    for batch in 0...batches {
        let begin = now()
        try await body()
        if batch > 0 { times.append(Double(now() - begin) / Double(count)) }
    }
    return times.sorted()[times.count / 2]
}

/// Two ends of one Unix stream, both on one loop.
func withPair(
    _ loop: any EventLoop,
    _ body: (Stream, Stream) async throws -> [Row]
) async throws
    -> [Row]
{
    let path = "/tmp/nio-face-\(now()).sock"
    let listener = try await ServerBootstrap(group: loop)
        .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
            channel.eventLoop.makeCompletedFuture {
                try Stream(wrappingChannelSynchronously: channel)
            }
        }
    let here = try await ClientBootstrap(group: loop).connect(unixDomainSocketPath: path) {
        channel in
        channel.eventLoop.makeCompletedFuture { try Stream(wrappingChannelSynchronously: channel) }
    }
    return try await listener.executeThenClose { connections in
        var accepted = connections.makeAsyncIterator()
        guard let there = try await accepted.next() else { return [] }
        return try await body(here, there)
    }
}

// MARK: The face

func face() async throws -> [Row] {
    let loop = group.next()
    var rows = try await withPair(loop) { here, there in
        try await here.executeThenClose { input, output in
            try await there.executeThenClose { otherInput, otherOutput in
                var reader = otherInput.makeAsyncIterator()
                return try await [
                    ("read_ready_ns", readReady(output, &reader)),
                    ("read_suspended_ns", readSuspended(output, &reader)),
                    ("write_ns", write(output, &reader)),
                ]
            }
        }
    }
    rows.append(("spawn_ns", await spawn()))
    let other = group.next()
    rows.append(
        (
            "submit_ns",
            try await median(of: batches, steps: 500) {
                for _ in 0..<500 { try await other.submit {}.get() }
            }
        )
    )
    return rows
}

typealias Output = NIOAsyncChannelOutboundWriter<ByteBuffer>
typealias Input = NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator

func readReady(_ output: Output, _ reader: inout Input) async throws -> Double {
    // Fewer than the channel holds before it stops to read.
    let count = 8
    var times: [Double] = []
    for _ in 0..<batches {
        for _ in 0..<count {
            try await output.write(piece)
            // It is received before the next is sent: a piece of its own.
            try await Task.sleep(for: .microseconds(50))
        }
        let begin = now()
        var (taken, pieceCount) = (0, 0)
        while taken < count * 64, let bytes = try await reader.next() {
            taken += bytes.readableBytes
            pieceCount += 1
        }
        times.append(Double(now() - begin) / Double(pieceCount))
    }
    return times.sorted()[times.count / 2]
}

func readSuspended(_ output: Output, _ reader: inout Input) async throws -> Double {
    var times: [Double] = []
    for _ in 0..<batches {
        let begin = now()
        for _ in 0..<500 {
            try await output.write(piece)
            _ = try await reader.next()
        }
        times.append(Double(now() - begin) / 500)
    }
    return times.sorted()[times.count / 2]
}

func write(_ output: Output, _ reader: inout Input) async throws -> Double {
    let count = 200
    var times: [Double] = []
    for _ in 0..<batches {
        let begin = now()
        for _ in 0..<count { try await output.write(piece) }
        times.append(Double(now() - begin) / Double(count))
        var taken = 0
        while taken < count * 64, let bytes = try await reader.next() {
            taken += bytes.readableBytes
        }
    }
    return times.sorted()[times.count / 2]
}

func spawn() async -> Double {
    await median(of: batches, steps: 1_000) {
        await withDiscardingTaskGroup { tasks in
            for _ in 0..<1_000 { tasks.addTask {} }
        }
    }
}

// MARK: Scheduling

func scheduling() async throws -> [Row] {
    let loop = group.next()
    var rows: [Row] = [
        (
            "future_ns",
            try await timed(loop, 1_000) { loop, done in
                @Sendable func turn(_ left: Int) {
                    guard left > 0 else { return done.succeed() }
                    let promise = loop.makePromise(of: Void.self)
                    promise.futureResult.whenSuccess { turn(left - 1) }
                    loop.execute { promise.succeed() }
                }
                turn(1_000)
            }
        ),
        (
            "call_soon_ns",
            try await timed(loop, 1_000) { loop, done in
                for _ in 0..<999 { loop.execute {} }
                loop.execute { done.succeed() }
            }
        ),
        (
            "call_later_ns",
            try await timed(loop, 1_000) { loop, done in
                for _ in 0..<999 { loop.scheduleTask(in: .zero) {} }
                loop.scheduleTask(in: .zero) { done.succeed() }
            }
        ),
        (
            "timer_cancel_ns",
            try await timed(loop, 1_000) { loop, done in
                for _ in 0..<1_000 { loop.scheduleTask(in: .seconds(10)) {}.cancel() }
                done.succeed()
            }
        ),
    ]
    rows += try await withPair(loop) { here, there in
        try await here.executeThenClose { input, output in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    // It ends by its cancellation.
                    try? await there.executeThenClose { input, output in
                        for try await bytes in input { try await output.write(bytes) }
                    }
                }
                var reader = input.makeAsyncIterator()
                let time = try await readBack(output, &reader)
                tasks.cancelAll()
                return [("socketpair_round_trip_ns", time)]
            }
        }
    }
    return rows
}

func readBack(_ output: Output, _ reader: inout Input) async throws -> Double {
    let one = ByteBuffer(repeating: 1, count: 1)
    var times: [Double] = []
    for _ in 0..<batches {
        let begin = now()
        for _ in 0..<500 {
            try await output.write(one)
            _ = try await reader.next()
        }
        times.append(Double(now() - begin) / 500)
    }
    return times.sorted()[times.count / 2]
}

/// Runs `body` on the loop, until it says that it is done.
func timed(
    _ loop: any EventLoop,
    _ count: Int,
    _ body: @escaping @Sendable (any EventLoop, EventLoopPromise<Void>) -> Void
) async throws -> Double {
    try await median(of: batches, steps: count) {
        try await loop.flatSubmit {
            let done = loop.makePromise(of: Void.self)
            body(loop, done)
            return done.futureResult
        }.get()
    }
}
