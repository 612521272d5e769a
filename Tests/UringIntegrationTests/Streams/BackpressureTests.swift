import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Backpressure") struct BackpressureTests {
        /// Small messages would pin a whole buffer each: the worst case for memory.
        @Test(arguments: Rung.all, [64, 60_000])
        func pausedReadingDeliversNothingAndCapsMemory(rung: Rung, pieceBytes: Int) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 1)
                let listening = try server.listen { PausingHandler() }
                let peer = try listening.connect(.flood)
                peer.setTCPOption(TCP_NODELAY, 1)
                let handler = try listening.accepted(PausingHandler.self)
                var sent = peer.sendWhilePossible(pattern, from: 0, pieceBytes: pieceBytes)
                try handler.firstBytes.wait("the first bytes")
                // Only the accept is left: the cancelled receive has ended, whatever it still
                // brought.
                try server.eventually("the receive ended") { $0.operations.inFlightCount == 1 }
                sent = peer.sendWhilePossible(pattern, from: sent, pieceBytes: pieceBytes)
                let overshoot = rung.overshootBuffers
                let (count, parked, cap) = try server.run { loop in
                    (
                        handler.receiveCount, handler.transport?.parkedPinnedBytes ?? -1,
                        loop.inputCapBytes + overshoot * loop.options.bufferBytes
                    )
                }
                #expect(count == 1)
                #expect((0...cap).contains(parked))
                try server.run { _ in handler.transport?.resumeReading() }
                peer.endOutput()
                try handler.ended.wait("the end of the stream")
                #expect(try server.run { _ in handler.receivedBytes } == sent)
            }
        }

        @Test(arguments: Rung.all)
        func resumedReadingDeliversEverythingInOrder(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 2)
                let total = bulk(3_000_000)
                let listening = try server.listen { StutteringHandler(pattern, expecting: total) }
                let peer = try listening.connect()
                try peer.send(pattern, 0..<total, pieceBytes: 5_000)
                peer.endOutput()
                let handler = try listening.accepted(StutteringHandler.self)
                try handler.lost.wait("the end")
                #expect(try server.run { _ in handler.receivedBytes } == total)
                #expect(try server.run { _ in handler.isRight })
            }
        }

        @Test(arguments: Rung.all)
        func oneSilentConsumerStarvesNobody(rung: Rung) throws {
            DescriptorLimit.raise()
            try withLoop(rung) { server in
                let silent = try server.listen { PausingHandler() }
                let listening = try server.listen { EchoHandler() }
                let firehose = try silent.connect(.flood)
                firehose.setTCPOption(TCP_NODELAY, 1)
                let handler = try silent.accepted(PausingHandler.self)
                let flood = Pattern()
                var sent = firehose.sendWhilePossible(flood, from: 0, pieceBytes: 64)
                try handler.firstBytes.wait("the first bytes")
                let peers = try (0..<999).map { _ in try listening.connect() }
                try exchange(peers, byteCount: 64)
                sent = firehose.sendWhilePossible(flood, from: sent, pieceBytes: 64)
                try exchange(peers, byteCount: 500)
                let parked = try server.run { _ in handler.transport?.parkedPinnedBytes ?? -1 }
                let overshoot =
                    rung.overshootBuffers * server.loop.options.bufferBytes
                let cap = server.loop.inputCapBytes + overshoot
                #expect((0...cap).contains(parked))
                // While reading is paused it cannot see that its peer goes away.
                try server.run { _ in handler.transport?.abort() }
            }
        }

        @Test(arguments: Rung.all)
        func slowReaderBelowTheWatermarkPausesNobody(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 3)
                let total = 200_000
                let listening = try server.listen {
                    TestHandler { transport in
                        try transport.setOption(.sendBufferBytes(4_096))
                        transport.write(pattern.bytes(count: total))
                    }
                }
                let peer = try listening.connect(Peer.Buffers(receive: 4_096))
                peer.acknowledgesAtOnce = true
                try peer.expect(pattern, 0..<total, pieceBytes: 500)
                let handler = try listening.accepted()
                #expect(try server.run { _ in handler.pauseCount } == 0)
            }
        }

        @Test(arguments: Rung.all)
        func passingTheHighWatermarkPausesWritingUntilTheLowOne(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 4)
                let total = bulk(30_000_000)
                let listening = try server.listen { SendingHandler(pattern, totalBytes: total) }
                let peer = try listening.connect(Peer.Buffers(receive: 4_096))
                let handler = try listening.accepted()
                try handler.paused.wait("pauseWriting")
                let pinned = try server.run { _ in handler.transport?.writeBufferPinnedBytes ?? 0 }
                // One piece is what the handler adds before it is told.
                #expect(pinned <= 262_144 + 65_536 + 16_384)
                try peer.expect(pattern, 0..<total)
                try handler.resumed.wait("resumeWriting")
                let (pauses, resumes) = try server.run { _ in
                    (handler.pauseCount, handler.resumeCount)
                }
                #expect(resumes <= pauses && pauses <= resumes + 1)
            }
        }

        /// A peer that sends without reading must not make an echo hold more than the watermark
        /// and the cap.
        @Test(arguments: Rung.all)
        func echoToAPeerThatDoesNotReadHoldsItsMemory(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 5)
                let listening = try server.listen {
                    let handler = EchoHandler()
                    // As small a flood as a tiny build's would find room in the kernel.
                    if StandardSizes.areTiny {
                        handler.whenMade = { try $0.setOption(.sendBufferBytes(4_096)) }
                    }
                    return handler
                }
                var buffers = Peer.Buffers.flood
                buffers.receive = 4_096
                let peer = try listening.connect(buffers)
                peer.acknowledgesAtOnce = true
                let handler = try listening.accepted()
                var sent = peer.sendWhilePossible(pattern, from: 0, pieceBytes: 10_000)
                try handler.paused.wait("pauseWriting")
                try server.eventually("the receive ended") { $0.operations.inFlightCount == 2 }
                sent = peer.sendWhilePossible(pattern, from: sent, pieceBytes: 10_000)
                let held = try server.run { _ in
                    (handler.transport?.writeBufferPinnedBytes ?? 0)
                        + (handler.transport?.parkedPinnedBytes ?? 0)
                }
                let loop = server.loop
                let overshoot =
                    rung.overshootBuffers * loop.options.bufferBytes
                #expect(held <= 262_144 + loop.inputCapBytes + overshoot)
                try peer.expect(pattern, 0..<sent)
            }
        }
    }
}

/// Pauses after every few receives, and resumes a few turns of the loop later.
private final class StutteringHandler: TestHandler, @unchecked Sendable {
    private let checker: CheckingHandler
    var isRight: Bool { checker.firstWrongByte == nil }

    init(_ pattern: Pattern, expecting total: Int) {
        checker = CheckingHandler(pattern, expecting: total)
        super.init()
    }

    override func connectionMade(_ transport: StreamTransport) throws {
        try super.connectionMade(transport)
        try checker.connectionMade(transport)
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        try checker.dataReceived(bytes, on: transport)
        guard receiveCount % 3 == 0 else { return }
        transport.pauseReading()
        resume(transport, after: receiveCount % 7)
    }

    private func resume(_ transport: StreamTransport, after turns: Int) {
        if turns == 0 { return transport.resumeReading() }
        transport.loop.callSoon { self.resume(transport, after: turns - 1) }
    }
}
