import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Waiting for descriptors and signals of the program in async code.
@Suite("Waiting for what is not ours", .serialized) struct ReadinessTests {
    private func makePipe() -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test(arguments: [BackendChoice.auto, .epoll])
    func endsWhenThereIsSomethingToRead(backend: BackendChoice) async throws {
        let ends = makePipe()
        defer { for end in [ends.reader, ends.writer] { close(end) } }
        let configure: (inout Configuration) -> Void = { $0.loop.backend = backend }
        try await withShards(configure: configure) { run in
            let reader = Descriptor(rawValue: ends.reader)
            let bytes = try await run.on { shard in
                try await shard.untilWritable(Descriptor(rawValue: ends.writer))
                var bytes: [UInt8] = []
                for byte: UInt8 in 1...3 {
                    shard.loop.callLater(.milliseconds(1)) { _ = write(ends.writer, [byte], 1) }
                    try await shard.untilReadable(reader)
                    var read: UInt8 = 0
                    #expect(Glibc.read(ends.reader, &read, 1) == 1)
                    bytes.append(read)
                }
                return bytes
            }
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test func endsForOtherReasons() async throws {
        let ends = makePipe()
        defer { for end in [ends.reader, ends.writer] { close(end) } }
        try await withShards { run in
            let reader = Descriptor(rawValue: ends.reader)
            try await run.on { shard in
                do {
                    try await shard.untilReadable(reader, timeout: .milliseconds(1))
                    Issue.record("nothing is there")
                } catch let error as IOError {
                    #expect(error.reason == .deadlineExceeded)
                }
                do {
                    try await shard.untilReadable(Descriptor(rawValue: 900_000))
                    Issue.record("it is not open")
                } catch let error as IOError {
                    #expect(error.errno == .badDescriptor)
                }
            }
            let waiting = run.task { try await $0.untilReadable(reader) }
            try await run.eventually("a task waits", on: run.shards[0]) {
                $0.loop.interest(in: .readable, of: reader) != nil
            }
            try await run.on { shard in
                do {
                    try await shard.untilReadable(reader)
                    Issue.record("another task waits")
                } catch let error as IOError {
                    #expect(error.reason == .busy)
                }
            }
            waiting.cancel()
            let error = await #expect(throws: IOError.self) { try await waiting.value }
            #expect(error?.reason == .cancelled)
        }
    }

    @Test func endsWithTheShard() async throws {
        let ends = makePipe()
        defer { for end in [ends.reader, ends.writer] { close(end) } }
        try await withShards { run in
            let reader = Descriptor(rawValue: ends.reader)
            let waiting = run.task { try await $0.untilReadable(reader) }
            try await run.eventually("a task waits", on: run.shards[0]) {
                $0.loop.interest(in: .readable, of: reader) != nil
            }
            run.drain()
            try await run.awaitEnd()
            let error = await #expect(throws: IOError.self) { try await waiting.value }
            #expect(error?.reason == .closed)
        }
    }

    @Test func aSignalIsForTheTaskThatWaitsForIt() async throws {
        try await withShards { run in
            let facts = try await run.on { shard in
                let flag = ShardFlag(on: shard)
                // Its task goes on before the one that waits for the signal.
                let watch = try shard.loop.addSignalHandler(SIGUSR1) { try flag.set() }
                defer { watch.cancel() }
                return try await shard.withSignals(SIGUSR1) { signals in
                    let first = Task(executorPreference: shard.executor) {
                        var iterator = signals.makeAsyncIterator()
                        return try await iterator.next()
                    }
                    let second = Task(executorPreference: shard.executor) {
                        try await flag.wait()
                        var iterator = signals.makeAsyncIterator()
                        return await thrownReason { try await iterator.next() }
                    }
                    await Task.yield()
                    kill(getpid(), SIGUSR1)
                    return (try await first.value, await second.result)
                }
            }
            #expect(facts.0 == SIGUSR1)
            #expect(try facts.1.get() == .busy)
        }
    }

    @Test func noSignalsComeAfterTheirScope() async throws {
        try await withShards { run in
            let next = try await run.on { shard in
                var signals = try await shard.withSignals(SIGUSR1) { $0 }.makeAsyncIterator()
                return try await signals.next()
            }
            #expect(next == nil)
        }
    }

    @Test(arguments: [BackendChoice.auto, .epoll])
    func takesSignalsOneAfterTheOther(backend: BackendChoice) async throws {
        let configure: (inout Configuration) -> Void = { $0.loop.backend = backend }
        try await withShards(configure: configure) { run in
            let taken = try await run.on { shard in
                try await shard.withSignals(SIGUSR1, SIGUSR2) { signals in
                    var taken: [Int32] = []
                    kill(getpid(), SIGUSR2)
                    for try await signal in signals {
                        taken.append(signal)
                        if taken.count == 3 { break }
                        kill(getpid(), SIGUSR1)
                    }
                    return taken
                }
            }
            #expect(taken == [SIGUSR2, SIGUSR1, SIGUSR1])
            let action = signal(SIGUSR1, SIG_DFL)
            #expect(action == nil, "the default action is back")
        }
    }
}
