import Testing

@testable import UringCore
@testable import UringEngine

/// Serving as a whole: who may, when it ends, and that it begins again.
@Suite(.serialized) struct ServeTests {
    @Test func twiceOnOneShardIsBusy() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let address = try await run.serveEcho(listener)
            let second = try await run.on { shard in
                let again = try shard.listen(.tcp(host: "127.0.0.1", port: address.port ?? 0))
                return [
                    await thrownReason { try await listener.serve { _ in } },
                    await thrownReason { try await again.serve { _ in } },
                    await thrownReason { try await listener.serve(handlers: { Silent() }) },
                ]
            }
            #expect(second == [.busy, .busy, .busy])
            try await onThread { try BlockingClient(to: address).exchange([1]) }
        }
    }

    @Test func offItsShardIsWrongShard() async throws {
        try await withShards(2) { run in
            let listener = try await run.listen(on: 0..<1)[0]
            #expect(await thrownReason { try await listener.serve { _ in } } == .wrongShard)
            let elsewhere = try await run.on(1) { _ in
                await thrownReason { try await listener.serve { _ in } }
            }
            #expect(elsewhere == .wrongShard)
        }
    }

    @Test func throwsCancelledAndCancelsItsHandlers() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let reasons = SharedList<IOError.Reason?>()
            let begun = EventGate()
            let serving = run.task { _ in
                try await listener.serve(onConnectionError: {
                    reasons.append(($0 as? IOError)?.reason)
                }) {
                    connection in
                    begun.open()
                    _ = try await connection.read()
                }
            }
            let clients = try await onThread {
                let clients = try (0..<5).map { _ in try BlockingClient(to: listener.address) }
                for _ in clients { try begun.wait("a handler") }
                return clients
            }
            serving.cancel()
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
            #expect(reasons.all == Array(repeating: .cancelled, count: 5))
            try await onThread {
                for client in clients {
                    let ending = try client.ending()
                    #expect(ending == .reset)
                }
            }
        }
    }

    @Test func beforeItBeginsACancelledTaskServesNobody() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let reason = try await run.on { _ in
                await withTaskGroup(of: IOError.Reason?.self) { group in
                    group.cancelAll()
                    group.addTask { await thrownReason { try await listener.serve { _ in } } }
                    return await group.next() ?? nil
                }
            }
            #expect(reason == .cancelled)
        }
    }

    @Test func againServesThoseWhoConnectedMeanwhile() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            for _ in 0..<5 {
                let serving = run.task { _ in try await listener.serve(echo) }
                try await onThread { try BlockingClient(to: listener.address).exchange([1]) }
                serving.cancel()
                _ = await thrownReason { try await ended(serving, "serve") }
                // Nobody serves: they wait.
                let waiting = try await onThread {
                    try (0..<20).map { _ in try BlockingClient(to: listener.address) }
                }
                let again = run.task { _ in try await listener.serve(echo) }
                try await onThread { for client in waiting { try client.exchange([2, 3]) } }
                again.cancel()
                _ = await thrownReason { try await ended(again, "serve") }
            }
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func losesNoConnectionThatComesWhileServingEndsAndBegins(
        _ placement: ListenerPlacement
    ) async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1, placement: placement)[0]
            let rounds = 150
            // A client that was handed to a handler before the cancellation is reset by it: that handler
            // says so. All others must be served.
            let cancelled = SharedCount()
            let clients = Task {
                try await onThread {
                    var resetCount = 0
                    for number in 0..<rounds * 4 {
                        let client = try BlockingClient(to: listener.address)
                        do {
                            try client.exchange([UInt8(number % 256)])
                        } catch is ClientError {
                            resetCount += 1
                        }
                    }
                    return resetCount
                }
            }
            try await run.on {
                shard in
                for _ in 0..<rounds {
                    let serving = Task(executorPreference: shard.executor) {
                        try await listener.serve { connection in
                            do {
                                while let bytes = try await connection.read() {
                                    try await connection.write(bytes)
                                }
                            } catch let error as IOError where error.reason == .cancelled {
                                cancelled.add()
                                throw error
                            }
                        }
                    }
                    try await shard.sleep(for: .milliseconds(1))
                    serving.cancel()
                    _ = await serving.result
                }
            }
            let last = run.task { _ in try await listener.serve(echo) }
            let resetCount = try await ended(clients, "the clients")
            #expect(resetCount <= cancelled.value)
            last.cancel()
            _ = await thrownReason { try await ended(last, "serve") }
        }
    }

    @Test func beginsWhileTheOneBeforeStillEnds() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            try await run.on { shard in
                for _ in 0..<50 {
                    let serving = Task(executorPreference: shard.executor) {
                        try await listener.serve(echo)
                    }
                    while shard.state.sessions.isEmpty { await Task.yield() }
                    serving.cancel()
                    let next = Task(executorPreference: shard.executor) {
                        // Busy until the first has begun to end.
                        while true {
                            do {
                                return try await listener.serve(echo)
                            } catch let error as IOError where error.reason == .busy {
                                await Task.yield()
                            }
                        }
                    }
                    _ = await serving.result
                    try await onThread { try BlockingClient(to: listener.address).exchange([1]) }
                    next.cancel()
                    _ = await next.result
                }
            }
        }
    }

    @Test func endsWithTheDrain() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let serving = run.task { _ in try await listener.serve(echo) }
            try await onThread { try BlockingClient(to: listener.address).exchange([1]) }
            run.drain()
            try await ended(serving, "serve")
        }
    }

    @Test func afterTheDrainBeganIsClosed() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let reasons = run.task { shard in
                try await shard.untilDrain()
                return [
                    await thrownReason { try await listener.serve(echo) },
                    await thrownReason { try await listener.serve(handlers: { Silent() }) },
                ]
            }
            run.drain()
            #expect(try await ended(reasons, "serve") == [.closed, .closed])
        }
    }

    @Test func outlivesTheHandlerOfTheRun() async throws {
        // The run ends without a drain: whoever still serves is told all the same.
        try await withShards { run in
            let address = try await run.serve(echo)
            try await onThread { try BlockingClient(to: address).exchange([1]) }
            run.endHandlers()
        }
    }

    @Test func staysOnItsShardWhenItsTaskPrefersNothing() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let wrong = SharedCount()
            let left = LeftValue<Task<Void, any Error>>()
            listener.shard.loop.callSoonThreadsafe {
                left.put(
                    Task.immediate {
                        try await listener.serve { connection in
                            while let bytes = try await connection.read() {
                                if !connection.shard.isCurrent { wrong.add() }
                                try await connection.write(bytes)
                            }
                        }
                    }
                )
            }
            let serving = try await onThread { try left.take("a task") }
            try await onThread {
                let clients = try (0..<10).map { _ in try BlockingClient(to: listener.address) }
                for client in clients { try client.exchange([1, 2]) }
            }
            #expect(wrong.value == 0)
            serving.cancel()
            #expect(await thrownReason { try await ended(serving, "serve") } == .cancelled)
        }
    }
}

private final class Silent: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {}
}

extension ShardedRun {
    /// Serves an echo, and returns when it does.
    fileprivate func serveEcho(_ listener: Listener) async throws -> SocketAddress {
        Task(executorPreference: listener.shard.executor) { try await listener.serve(echo) }
        try await eventually("a shard serves", on: listener.shard) { !$0.state.sessions.isEmpty }
        return listener.address
    }
}
