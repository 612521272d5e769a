import Testing

@testable import UringCore
@testable import UringEngine

/// What an echoed request costs in steps of its task, in posts, and in changes of thread.
@Suite(.serialized) struct EchoPathTests {
    private struct Reading: Sendable {
        let steps: Int
        let posts: UInt64
        let threads: Set<UInt>
    }

    /// Echoes requests one at a time, and says what the handler saw from the tenth on.
    private func reading(
        _ requestCount: Int,
        _ echo: @escaping @Sendable (Connection, inout Set<UInt>) async throws -> Void
    ) async throws -> Reading {
        let left = LeftValue<Reading>()
        try await withShards { run in
            let address = try await run.serve(on: 0..<1) { connection in
                let loop = connection.shard.loop
                var threads: Set<UInt> = []
                for _ in 0..<10 { try await echo(connection, &threads) }
                let (steps, posts) = (loop.queuedStepCount, loop.scheduler.counters.posts)
                for _ in 0..<requestCount { try await echo(connection, &threads) }
                left.put(
                    Reading(
                        steps: loop.queuedStepCount - steps,
                        posts: loop.scheduler.counters.posts - posts,
                        threads: threads
                    )
                )
            }
            try await onThread {
                let client = try BlockingClient(to: address)
                for _ in 0..<10 + requestCount {
                    try client.exchange([UInt8](repeating: 1, count: 64))
                }
            }
        }
        return try await onThread { try left.take("what the handler saw") }
    }

    @Test(.enabled(if: countsSteps))
    func takesOneStepARequestAndNoPost() async throws {
        let reading = try await reading(1_000) { connection, threads in
            guard let bytes = try await connection.read() else { return }
            threads.insert(currentThread())
            try await connection.write(bytes)
            threads.insert(currentThread())
        }
        #expect(reading.steps == 1_000)
        #expect(reading.posts == 0)
        #expect(reading.threads.count == 1)
    }

    @Test(.enabled(if: countsSteps))
    func takesNoMoreStepsWithATimeout() async throws {
        let reading = try await reading(1_000) { connection, threads in
            guard let bytes = try await connection.read(timeout: .seconds(60)) else { return }
            threads.insert(currentThread())
            try await connection.write(bytes, timeout: .seconds(60))
        }
        #expect(reading.steps == 1_000)
        #expect(reading.posts == 0)
        #expect(reading.threads.count == 1)
    }

    @Test(.enabled(if: countsSteps))
    func takesNoMoreStepsForArrays() async throws {
        let reading = try await reading(1_000) { connection, threads in
            let bytes = try await connection.readArray()
            try await connection.write(bytes)
            threads.insert(currentThread())
        }
        #expect(reading.steps == 1_000)
        #expect(reading.posts == 0)
        #expect(reading.threads.count == 1)
    }

    @Test(.enabled(if: countsSteps))
    func takesNoMoreStepsInFunctionsOfTheProgram() async throws {
        let reading = try await reading(1_000) { connection, threads in
            try await Program().echo(connection)
            threads.insert(currentThread())
        }
        #expect(reading.steps == 1_000)
        #expect(reading.posts == 0)
        #expect(reading.threads.count == 1)
    }
}

/// Ordinary functions of a program, in a module that is not ours.
private struct Program {
    func echo(_ connection: Connection) async throws {
        guard let bytes = try await next(connection) else { return }
        try await send(bytes, connection)
    }

    private func next(_ connection: Connection) async throws -> ReceivedBytes? {
        try await connection.read()
    }

    private func send(_ bytes: consuming ReceivedBytes, _ connection: Connection) async throws {
        try await connection.write(bytes)
    }
}
