import Testing

@testable import UringCore
@testable import UringEngine

/// Many bytes, every one of them checked.
@Suite(.serialized, .ordinarySizes) struct ConnectionStreamTests {
    @Test func echoesAHundredMegabytesInRandomPieces() async throws {
        try await withShards { run in
            let address = try await run.serve { connection in
                while let bytes = try await connection.read() {
                    try await connection.write(bytes)
                }
            }
            let byteCount = 100_000_000
            let client = try await onThread { try BlockingClient(to: address) }
            async let sent: Void = onThread {
                var numbers = SeededNumbers(seed: 1)
                try client.sendKnown(byteCount) { Int.random(in: 1...60_000, using: &numbers) }
                client.endOutput()
            }
            async let received: Void = onThread {
                var numbers = SeededNumbers(seed: 2)
                try client.expectKnown(byteCount) { Int.random(in: 1...90_000, using: &numbers) }
                #expect(try client.ending() == .eof)
            }
            _ = try await (sent, received)
            client.close()
        }
    }

    @Test func aFirehoseWaitsForASlowPeer() async throws {
        try await withShards { run in
            let byteCount = 10_000_000
            let address = try await run.serve { connection in
                for start in stride(from: 0, to: byteCount, by: 40_000) {
                    try await connection.write(KnownBytes.bytes(at: start, count: 40_000))
                    #expect(connection.queuedBytes < 262_144 + 65_536)
                }
            }
            try await onThread {
                let client = try BlockingClient(to: address, receiveBuffer: 32_768)
                var numbers = SeededNumbers(seed: 3)
                try client.expectKnown(byteCount) { Int.random(in: 1...9_000, using: &numbers) }
                #expect(try client.ending() == .eof)
            }
        }
    }

    @Test func aSlowReaderGetsEveryByteInOrder() async throws {
        try await withShards { run in
            let byteCount = 20_000_000
            let received = LeftValue<(isRight: Bool, byteCount: Int)>()
            let address = try await run.serve { connection in
                var position = 0
                var isRight = true
                var pieces = 0
                while let bytes = try await connection.read() {
                    isRight = isRight && KnownBytes.matches(bytes.copyToArray(), at: position)
                    position += bytes.byteCount
                    pieces += 1
                    if pieces % 50 == 0 { try await connection.shard.sleep(for: .milliseconds(1)) }
                }
                received.put((isRight, position))
            }
            let result = try await onThread {
                let client = try BlockingClient(to: address)
                var numbers = SeededNumbers(seed: 4)
                try client.sendKnown(byteCount) { Int.random(in: 1...60_000, using: &numbers) }
                client.endOutput()
                return try received.take("what the reader got")
            }
            #expect(result == (true, byteCount))
        }
    }

    @Test func readsAndWritesAtOnceInTwoTasks() async throws {
        try await withShards { run in
            let byteCount = 10_000_000
            let address = try await run.serve { connection in
                async let writing: Void = connection.writeKnown(byteCount)
                var position = 0
                while let bytes = try await connection.read() {
                    #expect(KnownBytes.matches(bytes.copyToArray(), at: position))
                    position += bytes.byteCount
                }
                #expect(position == byteCount)
                try await writing
            }
            let client = try await onThread { try BlockingClient(to: address) }
            async let sent: Void = onThread {
                try client.sendKnown(byteCount) { 50_000 }
                client.endOutput()
            }
            async let received: Void = onThread { try client.expectKnown(byteCount) { 65_536 } }
            _ = try await (sent, received)
            client.close()
        }
    }
}

extension Connection {
    fileprivate func writeKnown(_ byteCount: Int) async throws {
        for start in stride(from: 0, to: byteCount, by: 40_000) {
            try await write(KnownBytes.bytes(at: start, count: 40_000))
        }
    }
}

extension BlockingClient {
    /// Sends the known bytes in pieces.
    func sendKnown(_ byteCount: Int, pieceBytes: () -> Int) throws {
        var position = 0
        while position < byteCount {
            let count = min(pieceBytes(), byteCount - position)
            try send(KnownBytes.bytes(at: position, count: count))
            position += count
        }
    }

    /// Receives the known bytes in pieces; throws at the first that is another.
    func expectKnown(_ byteCount: Int, pieceBytes: () -> Int) throws {
        var position = 0
        while position < byteCount {
            let some = try receiveSome(min(pieceBytes(), byteCount - position))
            guard !some.isEmpty, KnownBytes.matches(some, at: position) else {
                throw WrongStream(wantedBytes: byteCount, rightBytes: position)
            }
            position += some.count
        }
    }
}
