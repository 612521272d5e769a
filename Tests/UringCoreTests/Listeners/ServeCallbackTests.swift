import Testing

@testable import UringCore
@testable import UringEngine

/// Serving with handlers of the callback face.
@Suite(.serialized) struct ServeCallbackTests {
    private struct NoHandler: Error {}

    @Test func echoes() async throws {
        try await withShards(2) { run in
            let listeners = try await run.listen(on: 0..<2)
            for listener in listeners {
                Task(executorPreference: listener.shard.executor) {
                    try await listener.serve(handlers: { CallbackEcho() })
                }
            }
            try await onThread {
                let clients = try (0..<20).map { _ in
                    try BlockingClient(to: listeners[0].address)
                }
                for client in clients { try client.exchange([1, 2, 3]) }
                for client in clients {
                    client.endOutput()
                    let ending = try client.ending()
                    #expect(ending == .eof)
                }
            }
        }
    }

    @Test func aMakerThatThrowsClosesThatConnectionAndIsReported() async throws {
        try await withShards(expectsCallbackErrors: true) { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let made = SharedCount()
            Task(executorPreference: listener.shard.executor) {
                try await listener.serve(handlers: {
                    guard made.add() != 2 else { throw NoHandler() }
                    return CallbackEcho()
                })
            }
            try await onThread {
                try BlockingClient(to: listener.address).exchange([1])
                let ending = try BlockingClient(to: listener.address).ending()
                #expect(ending == .eof)
                try BlockingClient(to: listener.address).exchange([3])
            }
            #expect(run.callbackErrors.all.count == 1)
            #expect(run.callbackErrors.all[0].contains("NoHandler"))
        }
    }

    @Test func aHandlerThatThrowsResetsItsConnectionAndIsReported() async throws {
        try await withShards(expectsCallbackErrors: true) { run in
            let listener = try await run.listen(on: 0..<1)[0]
            Task(executorPreference: listener.shard.executor) {
                try await listener.serve(handlers: { CallbackEcho() })
            }
            try await onThread {
                let sibling = try BlockingClient(to: listener.address)
                let client = try BlockingClient(to: listener.address)
                try client.send([0])
                let ending = try client.ending()
                #expect(ending == .reset)
                try sibling.exchange([1])
            }
            #expect(run.callbackErrors.all.count == 1)
        }
    }

    @Test func cancelledItAcceptsNoMoreAndServesAgain() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let first = run.task { _ in try await listener.serve(handlers: { CallbackEcho() }) }
            let old = try await onThread {
                let client = try BlockingClient(to: listener.address)
                try client.exchange([1])
                return client
            }
            first.cancel()
            #expect(await thrownReason { try await ended(first, "serve") } == .cancelled)
            // Its connections live on; new ones wait.
            let waiting = try await onThread {
                try old.exchange([2])
                return try BlockingClient(to: listener.address)
            }
            let second = run.task { _ in try await listener.serve(handlers: { CallbackEcho() }) }
            try await onThread {
                try waiting.exchange([3])
                try old.exchange([4])
            }
            second.cancel()
            #expect(await thrownReason { try await ended(second, "serve") } == .cancelled)
            waiting.close()
            old.close()
        }
    }

    @Test func endsWithTheDrain() async throws {
        try await withShards { run in
            let listener = try await run.listen(on: 0..<1)[0]
            let serving = run.task { _ in try await listener.serve(handlers: { CallbackEcho() }) }
            let client = try await onThread {
                let client = try BlockingClient(to: listener.address)
                try client.exchange([1])
                return client
            }
            run.drain()
            try await ended(serving, "serve")
            #expect(try await onThread { try client.ending() } == .eof)
        }
    }
}

private final class CallbackEcho: StreamHandler {
    private struct Refused: Error {}

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        if bytes.copyToArray() == [0] { throw Refused() }
        transport.write(bytes)
    }

    func drainStarted(on transport: StreamTransport) {
        transport.close()
    }
}
