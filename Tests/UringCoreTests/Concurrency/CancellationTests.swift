import Testing

@testable import UringCore
@testable import UringEngine

/// A cancellation comes from any thread, ends the wait at hand, and loses nothing.
@Suite(.serialized) struct CancellationTests {
    /// Where a task is cancelled from.
    enum Source: CaseIterable {
        case itsShard
        case anotherShard
        case noShard
    }

    @Test(arguments: Source.allCases)
    func endsARead(_ source: Source) async throws {
        try await withShards(2) { run in
            let pair = try await run.pair()
            let reading = try await pair.started(.otherTask) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            try await run.cancel(reading, from: source)
            #expect(await thrownReason { try await ended(reading, "a read") } == .cancelled)
            try pair.client.send([1, 2])
            #expect(try await pair.on(.handler) { try await $0.readArray() } == [1, 2])
            pair.end()
        }
    }

    @Test(arguments: Source.allCases)
    func endsAReadWithATimeout(_ source: Source) async throws {
        try await withShards(2) { run in
            let pair = try await run.pair()
            let reading = try await pair.started(.otherTask) { connection, ready in
                ready()
                return try await connection.readArray(timeout: .seconds(3_600))
            }
            try await run.cancel(reading, from: source)
            #expect(await thrownReason { try await ended(reading, "a read") } == .cancelled)
            pair.end()
        }
    }

    @Test(.ordinarySizes, arguments: Source.allCases)
    func endsAWriteAboveTheWatermark(_ source: Source) async throws {
        try await withShards(2) { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let writing = try await pair.startedToFill(.otherTask)
            try await run.cancel(writing, from: source)
            #expect(await thrownReason { try await ended(writing, "a write") } == .cancelled)
            pair.client.reset()
            pair.end()
        }
    }

    @Test(arguments: Source.allCases)
    func endsAClose(_ source: Source) async throws {
        try await withShards(2) { run in
            let pair = try await run.pair(receiveBuffer: 4_096)
            let closing = try await pair.startedToCloseFilled(.otherTask)
            try await run.cancel(closing, from: source)
            #expect(await thrownReason { try await ended(closing, "a close") } == .cancelled)
            pair.client.reset()
            pair.end()
        }
    }

    @Test(arguments: Source.allCases)
    func endsASleep(_ source: Source) async throws {
        try await withShards(2) { run in
            let gate = EventGate()
            let sleeping = run.task { shard in
                gate.open()
                try await shard.sleep(for: .seconds(3_600))
            }
            try await gate.opened("a sleep")
            try await run.cancel(sleeping, from: source)
            #expect(await thrownReason { try await ended(sleeping, "a sleep") } == .cancelled)
        }
    }

    @Test(arguments: Source.allCases)
    func endsAWaitForTheDrain(_ source: Source) async throws {
        try await withShards(2) { run in
            let gate = EventGate()
            let waiting = run.task { shard in
                gate.open()
                try await shard.untilDrain()
            }
            try await gate.opened("a wait")
            let waiterCount = try await run.on { $0.state.drainWaiters.count }
            try await run.cancel(waiting, from: source)
            #expect(await thrownReason { try await ended(waiting, "a wait") } == .cancelled)
            #expect(try await run.on { $0.state.drainWaiters.count } == waiterCount - 1)
        }
    }

    // MARK: The task that serves a connection

    /// What a handler waits for when it is cancelled.
    enum Wait: CaseIterable {
        case read
        case readWithTimeout
        case write
        case close
        case sleep
        case untilDrain
        case childRead
        case asyncLetRead
    }

    @Test(arguments: Wait.allCases)
    func ofServeEndsItsHandlers(_ wait: Wait) async throws {
        try await withShards(2) { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let waits = EventGate()
            let reasons = SharedList<IOError.Reason?>()
            let serving = run.task { _ in
                try await listener.serve(
                    onConnectionError: { reasons.append(($0 as? IOError)?.reason) }
                ) { connection in
                    try connection.setWriteBufferLimits(low: 0, high: 8_000_000)
                    try await connection.write([UInt8](repeating: 1, count: 7_000_000))
                    waits.open()
                    try await connection.perform(wait)
                }
            }
            let client = try await onThread {
                let client = try BlockingClient(to: listener.address, receiveBuffer: 4_096)
                try waits.wait("a handler that waits")
                return client
            }
            try await run.cancel(serving, from: .anotherShard)
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
            #expect(reasons.all == [.cancelled])
            client.close()
        }
    }

    @Test func staysWithTheHandler() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let waits = EventGate()
            let reasons = LeftValue<[IOError.Reason?]>()
            let serving = run.task { _ in
                try await listener.serve { connection in
                    waits.open()
                    let first = await thrownReason { try await connection.readArray() }
                    // Each later wait ends at once; what needs no wait works.
                    try await connection.write([1])
                    try connection.setWriteBufferLimits(low: 0, high: 1)
                    reasons.put([
                        first,
                        await thrownReason { try await connection.readArray() },
                        await thrownReason { try await connection.write([2, 3]) },
                        await thrownReason {
                            try await connection.shard.sleep(for: .seconds(3_600))
                        },
                        await thrownReason { try await connection.close() },
                    ])
                }
            }
            let client = try await onThread {
                let client = try BlockingClient(to: listener.address)
                try waits.wait("a handler that waits")
                return client
            }
            serving.cancel()
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
            #expect(try reasons.take("reasons") == Array(repeating: .cancelled, count: 5))
            // The handler returned: what it wrote is sent.
            #expect(try await onThread { try client.receive(3) } == [1, 2, 3])
            client.close()
        }
    }

    // MARK: Children of a handler

    @Test func ofAChildLeavesItsHandlerAlone() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let (reason, bytes) = try await pair.on(.handler) { connection in
                let reason = await withTaskGroup(of: IOError.Reason?.self) { group in
                    group.addTask { await thrownReason { try await connection.readArray() } }
                    try? await connection.shard.sleep(for: .milliseconds(2))
                    group.cancelAll()
                    return await group.next() ?? nil
                }
                try client.send([5])
                return (reason, try await connection.readArray())
            }
            #expect(reason == .cancelled)
            #expect(bytes == [5])
            pair.end()
        }
    }

    @Test func ofAnAsyncLetLeavesItsHandlerAlone() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let bytes = try await pair.on(.handler) { connection in
                await connection.readAndLeave()
                try client.send([6])
                return try await connection.readArray()
            }
            #expect(bytes == [6])
            pair.end()
        }
    }

    @Test func ofAnImmediateTaskLeavesItsHandlerAlone() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let (reason, bytes) = try await pair.on(.handler) { connection in
                let reading = Task.immediate(executorPreference: connection.shard.executor) {
                    try await connection.readArray()
                }
                reading.cancel()
                let reason = await thrownReason { try await reading.value }
                try client.send([7])
                return (reason, try await connection.readArray())
            }
            #expect(reason == .cancelled)
            #expect(bytes == [7])
            pair.end()
        }
    }

    @Test func beforeAReadBeginsEndsItAtOnce() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let reason = try await pair.on(.otherTask) { connection in
                await withTaskGroup(of: IOError.Reason?.self) { group in
                    group.cancelAll()
                    group.addTask { await thrownReason { try await connection.readArray() } }
                    return await group.next() ?? nil
                }
            }
            #expect(reason == .cancelled)
            pair.end()
        }
    }

    @Test func ofACancelledTaskReadsWhatIsParked() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            try pair.client.send([8])
            try await run.eventually("a parked piece", on: pair.connection.shard) {
                $0.loop.metrics.buffersLent == 1
            }
            let bytes = try await pair.on(.otherTask) { connection in
                try await withThrowingTaskGroup(of: [UInt8].self) { group in
                    group.cancelAll()
                    group.addTask { try await connection.readArray() }
                    return try await group.next() ?? []
                }
            }
            #expect(bytes == [8])
            pair.end()
        }
    }

    @Test func thatComesAfterTheWakeLosesNothing() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let connection = pair.connection
            let client = pair.client
            let reading = try await pair.started(.otherTask) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            // Cancelled in the turn in which the reader was woken and has not run yet.
            let gate = EventGate()
            @Sendable func look() {
                guard connection.shard.loop.metrics.buffersLent > 0 else {
                    return connection.shard.loop.callSoon { look() }
                }
                reading.cancel()
                gate.open()
            }
            connection.shard.loop.callSoonThreadsafe { look() }
            try client.send([1])
            try await gate.opened("the cancellation")
            #expect(try await ended(reading, "a read") == [1])
            // It does not reach the next wait of another task either.
            let next = try await pair.started(.handler) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            try client.send([2])
            #expect(try await ended(next, "the next read") == [2])
            pair.end()
        }
    }
}

extension ShardedRun {
    func cancel<Value: Sendable>(
        _ task: Task<Value, any Error>,
        from source: CancellationTests.Source
    ) async throws {
        switch source {
        case .itsShard: try await on(0) { _ in task.cancel() }
        case .anotherShard: try await on(1) { _ in task.cancel() }
        case .noShard: try await onThread { task.cancel() }
        }
    }
}

extension Connection {
    /// A child that reads is cancelled and waited for at the end of its scope.
    fileprivate func readAndLeave() async {
        async let read = thrownReason { try await readArray() }
        do {
            try await shard.sleep(for: .milliseconds(2))
        } catch {
            #expect(await read == .cancelled)
        }
    }

    fileprivate func perform(_ wait: CancellationTests.Wait) async throws {
        switch wait {
        case .read: _ = try await readArray()
        case .readWithTimeout: _ = try await readArray(timeout: .seconds(3_600))
        case .write:
            try setWriteBufferLimits(low: 0, high: 1)
            try await write([1])
        case .close: try await close()
        case .sleep: try await shard.sleep(for: .seconds(3_600))
        case .untilDrain: try await shard.untilDrain()
        case .childRead:
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await readArray() }
                try await group.waitForAll()
            }
        case .asyncLetRead:
            async let bytes = readArray()
            _ = try await bytes
        }
    }
}
