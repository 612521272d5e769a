import Testing
import UringTesting

@testable import UringEngine

/// Streams that carry bytes.
extension FaultScenario {
    static let streams = [
        FaultScenario("accepts") { stage in
            let listening = try stage.listen { TestHandler { $0.close() } }
            for peer in try (0..<3).map({ _ in try listening.connect() }) {
                _ = try peer.ending()
            }
        },
        FaultScenario("echo") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<2).map { _ in try listening.connect() }
            for round in 0..<3 {
                for (number, peer) in peers.enumerated() {
                    try stage.echo(peer, round * 700..<(round + 1) * 700, seed: number)
                }
            }
            try stage.end(peers)
        },
        FaultScenario("many connections") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<20).map { _ in try listening.connect() }
            for (number, peer) in peers.enumerated() {
                try peer.send(Pattern(seed: number), 0..<50)
            }
            for (number, peer) in peers.enumerated() {
                try peer.expect(Pattern(seed: number), 0..<50)
            }
            try stage.end(peers)
        },
        FaultScenario("pipelined requests") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peer = try listening.connect()

            for piece in 0..<30 { try peer.send(Pattern(), piece * 100..<(piece + 1) * 100) }
            try peer.expect(Pattern(), 0..<3_000)
            try stage.end([peer])
        },
        FaultScenario("a large echo") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peer = try listening.connect()
            try peer.send(Pattern(), 0..<60_000)
            try peer.expect(Pattern(), 0..<60_000)
            try stage.end([peer])
        },
        FaultScenario("large writes") { stage in
            let pattern = Pattern(seed: 1)
            let listening = try stage.listen {
                TestHandler { transport in
                    for piece in 0..<5 {
                        transport.write(pattern.bytes(at: piece * 80_000, count: 80_000))
                    }
                    transport.close()
                }
            }
            try stage.expectWhole(try listening.connect(), pattern, 400_000)
        },
        FaultScenario("writes that wait for room") { stage in
            let pattern = Pattern(seed: 2)
            let listening = try stage.listen { options in
                options.stream.writeHighWatermark = 20_000
                options.stream.writeLowWatermark = 5_000
            } makeHandler: {
                SendingHandler(pattern, totalBytes: 300_000, pieceBytes: 7_000) { $0.close() }
            }
            let peer = try listening.connect(Peer.Buffers(receive: 8_192))
            peer.acknowledgesAtOnce = true
            try stage.expectWhole(peer, pattern, 300_000)
        },
        FaultScenario("checked input") { stage in
            let pattern = Pattern(seed: 3)
            let listening = try stage.listen { CheckingHandler(pattern, expecting: 100_000) }
            let peer = try listening.connect()
            try peer.send(pattern, 0..<100_000)
            try stage.end([peer])
        },
        FaultScenario("pauses of reading") { stage in
            let pattern = Pattern(seed: 4)
            let listening = try stage.listen { PausingReader(pattern, expecting: 50_000) }
            let peer = try listening.connect()
            try peer.send(pattern, 0..<50_000, pieceBytes: 5_000)
            try stage.end([peer])
        },
        FaultScenario("kept bytes", options { $0.bufferCount = 4 }) { stage in
            let listening = try stage.listen { KeepingHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers { try peer.send(Pattern(), 0..<6_000) }
            try stage.end(peers)
        },
        FaultScenario("half-close by the peer") { stage in
            let (question, answer) = (Pattern(seed: 5), Pattern(seed: 6))
            let listening = try stage.listen {
                let handler = CheckingHandler(question, expecting: 30_000)
                handler.whenEnded = { transport in
                    transport.write(answer.bytes(count: 30_000))
                    return false
                }
                return handler
            }
            let peer = try listening.connect()
            try peer.send(question, 0..<30_000)
            peer.endOutput()
            try stage.expectWhole(peer, answer, 30_000)
        },
        FaultScenario("half-close by the server") { stage in
            let (up, down) = (Pattern(seed: 7), Pattern(seed: 8))
            let listening = try stage.listen {
                CheckingHandler(up, expecting: 30_000) { transport in
                    transport.write(down.bytes(count: 30_000))
                    transport.writeEOF()
                }
            }
            let peer = try listening.connect()
            try stage.expectWhole(peer, down, 30_000)
            try peer.send(up, 0..<30_000)
            try stage.end([peer])
        },
        FaultScenario("addresses and options") { stage in
            let listening = try stage.listen {
                ActingHandler { transport in
                    let own = try transport.localAddress()
                    let other = try transport.peerAddress()
                    try transport.setOption(.keepAlive(true))
                    try transport.setWriteBufferLimits(low: 10, high: 100)
                    transport.write(Array("\(own) \(other)".utf8))
                }
            }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers {
                try peer.send([1])
                guard try peer.receiveSome(200).count > 0 else { throw EarlyEnd(wanted: 1, got: 0) }
            }
            try stage.end(peers)
        },
    ]
}

/// Pauses with each piece, and goes on a millisecond later.
private final class PausingReader: CheckingHandler, @unchecked Sendable {
    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        super.take(bytes, on: transport)
        transport.pauseReading()
        transport.loop.callLater(.milliseconds(1)) { transport.resumeReading() }
    }
}

/// Keeps every second piece until the end.
private final class KeepingHandler: TestHandler, @unchecked Sendable {
    private final class Kept {
        var bytes: ReceivedBytes?

        init(_ bytes: consuming ReceivedBytes) {
            self.bytes = consume bytes
        }
    }

    private var kept: [Kept] = []

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        guard receiveCount % 2 == 1 else { return }
        kept.append(Kept(bytes))
    }

    override func connectionLost(_ transport: StreamTransport, error: IOError?) {
        super.connectionLost(transport, error: error)
        kept = []
    }
}
