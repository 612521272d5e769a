import Testing

@testable import UringCore
@testable import UringEngine

private struct HandlerFailed: Error, Equatable {
    let number: Int
}

/// How a handler's end becomes its connection's.
@Suite(.serialized) struct ServeHandlerTests {
    @Test func aHandlerThatReturnsSendsEverythingAndThenFIN() async throws {
        try await withShards { run in
            let byteCount = 3_000_000
            let errors = SharedList<String>()
            let address = try await run.serve(onConnectionError: { errors.append("\($0)") }) {
                connection in
                try connection.setWriteBufferLimits(low: byteCount, high: 2 * byteCount)
                for start in stride(from: 0, to: byteCount, by: 50_000) {
                    try await connection.write(KnownBytes.bytes(at: start, count: 50_000))
                }
            }
            try await onThread {
                let client = try BlockingClient(to: address, receiveBuffer: 8_192)
                try client.expectKnown(byteCount) { 65_536 }
                #expect(try client.ending() == .eof)
            }
            #expect(errors.all == [])
        }
    }

    @Test func aHandlerThatReturnsWithUnreadInputLosesNothingOfItsOutput() async throws {
        try await withShards { run in
            let address = try await run.serve { connection in
                _ = try await connection.readArray()
                try await connection.write(KnownBytes.bytes(at: 0, count: 60_000))
            }
            try await onThread {
                let client = try BlockingClient(to: address)
                try client.send(KnownBytes.bytes(at: 0, count: 50_000))
                #expect(try client.receive(60_000) == KnownBytes.bytes(at: 0, count: 60_000))
                #expect(try client.ending() == .eof)
            }
        }
    }

    @Test func aHandlerThatThrowsResetsAndReportsOnce() async throws {
        try await withShards { run in
            let errors = SharedList<HandlerFailed?>()
            let address = try await run.serve(
                onConnectionError: { errors.append($0 as? HandlerFailed) }
            ) { connection in
                let bytes = try await connection.readArray()
                throw HandlerFailed(number: Int(bytes[0]))
            }
            for number in 1...3 {
                try await onThread {
                    let client = try BlockingClient(to: address)
                    try client.send([UInt8(number)])
                    #expect(try client.ending() == .reset)
                }
            }
            try await run.settle()
            #expect(errors.all == (1...3).map { HandlerFailed(number: $0) })
        }
    }

    @Test func aHandlerThatThrowsAtOnceResetsAndReportsOnce() async throws {
        try await withShards { run in
            let errors = SharedList<HandlerFailed?>()
            let address = try await run.serve(
                onConnectionError: { errors.append($0 as? HandlerFailed) }
            ) { _ in throw HandlerFailed(number: 9) }
            let ending = try await onThread { try BlockingClient(to: address).ending() }
            #expect(ending == .reset)
            try await run.settle()
            #expect(errors.all == [HandlerFailed(number: 9)])
        }
    }

    @Test func siblingsOfAHandlerThatThrowsAreUnharmed() async throws {
        try await withShards { run in
            let errors = SharedCount()
            let address = try await run.serve(onConnectionError: { _ in errors.add() }) {
                connection in
                while let bytes = try await connection.read() {
                    if bytes.copyToArray() == [0] { throw HandlerFailed(number: 0) }
                    try await connection.write(bytes)
                }
            }
            try await onThread {
                let siblings = try (0..<10).map { _ in try BlockingClient(to: address) }
                for round in 1...5 {
                    let victim = try BlockingClient(to: address)
                    try victim.send([0])
                    #expect(try victim.ending() == .reset)
                    for sibling in siblings { try sibling.exchange([UInt8(round), 2, 3]) }
                }
            }
            try await run.settle()
            #expect(errors.value == 5)
        }
    }

    @Test func aFailureThatEndsTheHandlerIsReportedOnce() async throws {
        try await withShards { run in
            let errors = SharedList<IOError.Reason?>()
            let pair = try await run.pair(
                onConnectionError: { errors.append(($0 as? IOError)?.reason) }
            )
            let reading = try await pair.started(.handler) { connection, ready in
                ready()
                return try await connection.readArray()
            }
            pair.client.reset()
            _ = await thrownReason { try await ended(reading, "a read") }
            pair.end()
            try await run.settle()
            // The handler of a pair swallows what its steps throw, and returns: nothing is late.
            #expect(errors.all == [])
        }
    }

    @Test func aFailureThatComesAfterTheHandlerReturnedIsReportedOnce() async throws {
        try await withShards { run in
            let errors = SharedList<IOError.Reason?>()
            let gate = EventGate()
            let address = try await run.serve(
                onConnectionError: {
                    errors.append(($0 as? IOError)?.reason)
                    gate.open()
                }
            ) { connection in
                try connection.setWriteBufferLimits(low: 8_000_000, high: 8_000_000)
                try await connection.write([UInt8](repeating: 1, count: 7_000_000))
            }
            try await onThread {
                let client = try BlockingClient(to: address, receiveBuffer: 4_096)
                _ = try client.receive(1)
                client.reset()
            }
            try await gate.opened("the late failure")
            try await run.settle()
            let reasons = errors.all
            #expect(reasons.count == 1)
            #expect(reasons[0] == .errno(.connectionReset) || reasons[0] == .errno(.brokenPipe))
        }
    }

    @Test func anAbortByTheHandlerIsNoError() async throws {
        try await withShards { run in
            let errors = SharedCount()
            let address = try await run.serve(onConnectionError: { _ in errors.add() }) {
                connection in
                connection.abort()
            }
            let ending = try await onThread { try BlockingClient(to: address).ending() }
            #expect(ending == .reset)
            try await run.settle()
            #expect(errors.value == 0)
        }
    }

    @Test func handlersAreLetGoWithTheirConnections() async throws {
        let alive = SharedCount()
        try await withShards { run in
            let address = try await run.serve { connection in
                let token = CountedToken(alive)
                while let bytes = try await connection.read() { try await connection.write(bytes) }
                withExtendedLifetime(token) {}
            }
            try await onThread {
                for _ in 0..<50 { try BlockingClient(to: address).exchange([1, 2, 3]) }
            }
            try await run.settle()
            #expect(alive.value == 0)
        }
    }
}
