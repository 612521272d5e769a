import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Reads by counts, delimiters, lines and frames, whatever pieces the bytes come in.
@Suite(.serialized) struct ConnectionReaderTests {
    /// Runs `body` with a reader, while a client sends pieces and ends.
    private func reading<Value: Sendable>(
        _ pieces: [[UInt8]],
        ends: Bool = true,
        _ body: @escaping @Sendable (ConnectionReader) async throws -> Value
    ) async throws -> Value {
        let result = LeftValue<Value>()
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let reading = pair.start(.handler) { try await body(ConnectionReader($0)) }
            try await onThread {
                for piece in pieces { try client.send(piece) }
                if ends { client.endOutput() }
            }
            result.put(try await ended(reading, "a reader"))
            pair.end()
        }
        return try result.take("a result")
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// The same stream, in pieces of every size.
    private static func cut(_ bytes: [UInt8], _ size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func readsAMixOfAllKinds(pieceBytes: Int) async throws {
        let stream =
            Self.text("12345first\r\nsecond\nheader\r\n\r\n") + [0, 0, 0, 3, 7, 8, 9]
            + [0, 0, 0, 0] + Self.text("rest")
        let facts = try await reading(Self.cut(stream, pieceBytes)) { reader in
            var facts = [String(decoding: try await reader.readExactly(5), as: UTF8.self)]
            facts.append(try await reader.readLine() ?? "nil")
            facts.append(try await reader.readLine() ?? "nil")
            let header = try await reader.readUntil(Self.text("\r\n\r\n"))
            facts.append(header.map { String(decoding: $0, as: UTF8.self) } ?? "nil")
            facts.append("\(try await reader.readFrame() ?? [255])")
            facts.append("\(try await reader.readFrame() ?? [255])")
            var rest: [UInt8] = []
            while let more = try await reader.read() { rest += more }
            facts.append(String(decoding: rest, as: UTF8.self))
            return facts
        }
        #expect(facts == ["12345", "first", "second", "header", "[7, 8, 9]", "[]", "rest"])
    }

    /// A length that a hostile peer may send, to a program that sets no limit.
    @Test(arguments: [0x7F, 0x80, 0xFF] as [UInt8])
    func noLengthOfAFrameIsTooLongToBeRefused(first: UInt8) async throws {
        let length = [first] + [UInt8](repeating: 0xFF, count: 7)
        let reason = try await reading([length]) { reader in
            let format = FrameFormat(lengthWidth: .eight, frameBytesMax: .max)
            return await thrownReason { _ = try await reader.readFrame(format) }
        }
        #expect(reason == .tooLong)
    }

    @Test func theEndOfTheStreamIsTheEndOfEachKind() async throws {
        let facts = try await reading([]) { reader in
            let line = try await reader.readLine()
            let frame = try await reader.readFrame()
            let block = try await reader.readUntil([0])
            let some = try await reader.read()
            let none = try await reader.readExactly(0)
            return [line == nil, frame == nil, block == nil, some == nil, none == []]
        }
        #expect(facts == [true, true, true, true, true])
    }

    @Test func aStreamThatEndsInTheMiddleIsAnErrorAndLosesNothing() async throws {
        let facts = try await reading([[0, 0, 0, 9, 1, 2]]) { reader in
            let reasons = [
                await thrownReason { try await reader.readExactly(7) },
                await thrownReason { try await reader.readUntil([13, 10]) },
                await thrownReason { try await reader.readFrame() },
            ]
            return (reasons, try await reader.read())
        }
        #expect(facts.0 == [.peerGone, .peerGone, .peerGone])
        #expect(facts.1 == [0, 0, 0, 9, 1, 2])
    }

    @Test func aLastLineNeedsNoEnd() async throws {
        let lines = try await reading([Self.text("a\n\nlast")]) { reader in
            var lines: [String] = []
            for try await line in reader.lines() { lines.append(line) }
            return lines
        }
        #expect(lines == ["a", "", "last"])
    }

    @Test func whatIsTooLongIsAnErrorAndLosesNothing() async throws {
        let stream = Self.text("0123456789\n")
        let facts = try await reading([stream]) { reader in
            let format = FrameFormat(frameBytesMax: 1_000)
            let reasons = [
                await thrownReason { try await reader.readLine(limit: 9) },
                await thrownReason { try await reader.readUntil([10], limit: 0) },
                await thrownReason { try await reader.readFrame(format) },
            ]
            let line = try await reader.readLine(limit: 10)
            return (reasons, line)
        }
        #expect(facts.0 == [.tooLong, .tooLong, .tooLong])
        #expect(facts.1 == "0123456789")
    }

    @Test func nonsenseIsAnInvalidArgument() async throws {
        let reasons = try await reading([]) { reader in
            [
                await thrownReason { try await reader.readExactly(-1) },
                await thrownReason { try await reader.readUntil([]) },
                await thrownReason { try await reader.readUntil([1], limit: -1) },
            ]
        }
        #expect(reasons == [.invalidArgument, .invalidArgument, .invalidArgument])
    }

    /// A delimiter whose beginning repeats, cut at each place.
    @Test(arguments: 1...6)
    func findsADelimiterAcrossPieces(pieceBytes: Int) async throws {
        let stream = Self.text("aabaabaac|aab")
        let facts = try await reading(Self.cut(stream, pieceBytes)) { reader in
            let first = try await reader.readUntil(Self.text("aabaac"))
            let second = try await reader.readUntil(Self.text("|"))
            return [first, second, try await reader.readExactly(3)]
        }
        #expect(facts == [Self.text("aab"), [], Self.text("aab")])
    }

    @Test func whatADeadlineEndsLosesNothing() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            try client.send([1, 2])
            let bytes = try await pair.on(.handler) { connection in
                let reader = ConnectionReader(connection)
                let reason = await thrownReason {
                    try await connection.shard.withTimeout(.milliseconds(10)) {
                        try await reader.readExactly(4)
                    }
                }
                #expect(reason == .deadlineExceeded)
                try client.send([3, 4])
                return try await reader.readExactly(4)
            }
            #expect(bytes == [1, 2, 3, 4])
            pair.end()
        }
    }

    @Test(arguments: FrameFormat.LengthWidth.allCases, [true, false])
    func framesOfEachFormGoThereAndBack(
        width: FrameFormat.LengthWidth,
        isBigEndian: Bool
    ) async throws {
        let format = FrameFormat(lengthWidth: width, isBigEndian: isBigEndian)
        let sent = [
            [], [1], [UInt8](repeating: 2, count: 255), KnownBytes.bytes(at: 0, count: 200),
        ]
        try await withShards { run in
            let address = try await run.serve { connection in
                try await connection.withWriter { writer in
                    for try await frame in connection.frames(format) {
                        try await writer.writeFrame(frame, format)
                    }
                }
            }
            let port = try #require(address.port)
            let echoed = try await run.on { shard in
                try await shard.withConnection(to: .tcp(host: "127.0.0.1", port: port)) {
                    let writer = ConnectionWriter($0, capacity: 64)
                    for frame in sent { try await writer.writeFrame(frame, format) }
                    try await writer.flush()
                    try $0.finish()
                    var frames: [[UInt8]] = []
                    for try await frame in $0.frames(format) { frames.append(frame) }
                    return frames
                }
            }
            #expect(echoed == sent)
        }
    }

    @Test func aFrameThatItsWidthCannotSayIsRefused() async throws {
        let format = FrameFormat(lengthWidth: .one)
        let reason = await thrownReason { try format.field(of: 256) }
        #expect(reason == .tooLong)
        #expect(try format.field(of: 255) == [255])
    }

    // MARK: The writer

    @Test func aWriterSendsNothingBeforeItIsFlushedOrFull() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let facts = try await pair.on(.handler) { connection in
                let writer = ConnectionWriter(connection, capacity: 8)
                try await writer.write("abc")
                let before = connection.core.transport.writeBufferBytes
                try await writer.write([4, 5, 6, 7, 8])
                let full = writer.bufferedCount
                try await writer.write([9])
                try await writer.flush()
                return [before, full, writer.bufferedCount]
            }
            #expect(facts == [0, 0, 0])
            #expect(
                try await onThread { try client.receive(9) } == Self.text("abc") + [
                    4, 5, 6, 7, 8, 9,
                ]
            )
            pair.end()
        }
    }

    // MARK: Back-pressure

    /// Nobody asks for the next chunk: the peer stops, and little is held.
    @Test(.ordinarySizes) func aSlowLoopSlowsThePeerDown() async throws {
        try await withShards { run in
            let pair = try await run.pair()
            let client = pair.client
            let first = EventGate()
            let go = TaskGate()
            let looping = pair.start(.handler) { connection in
                var position = 0
                for try await chunk in connection.chunks {
                    #expect(KnownBytes.matches(chunk, at: position))
                    if position == 0 {
                        first.open()
                        await go.opened()
                    }
                    position += chunk.count
                }
                return position
            }
            let (sent, held) = try await onThread {
                var sent = 0
                while true {
                    let piece = KnownBytes.bytes(at: sent, count: 60_000)
                    let count = client.sendWhilePossible(piece)
                    sent += count
                    if count < piece.count { break }
                }
                try first.wait("the first chunk")
                return (sent, pair.connection.shard.loop.pool.lentCount)
            }
            #expect(sent < 64_000_000, "the peer was slowed down")
            #expect(held <= 256 / 2, "\(held) buffers are held")
            go.open()
            client.endOutput()
            #expect(try await ended(looping, "the loop") == sent)
            pair.end()
        }
    }
}

extension BlockingClient {
    /// Sends a piece as far as the socket takes it, patiently.
    fileprivate func sendWhilePossible(_ piece: [UInt8]) -> Int {
        var sent = 0
        while sent < piece.count {
            let count = piece[sent...].withUnsafeBytes {
                Glibc.send(
                    descriptor,
                    $0.baseAddress,
                    $0.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                )
            }
            if count > 0 {
                sent += count
                continue
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 300) == 1, entry.revents & Int16(POLLOUT) != 0 else { break }
        }
        return sent
    }
}
