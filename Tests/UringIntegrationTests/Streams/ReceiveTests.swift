import Testing

@testable import UringEngine

extension Integration {
    @Suite("Receiving") struct ReceiveTests {
        @Test(arguments: Rung.withZeroCopy)
        func deliversMoreThanSixtyFourReceivesOnOneConnection(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let pattern = Pattern(seed: 1)
                for round in 0..<300 {
                    let range = round * 64..<(round + 1) * 64
                    try peer.send(pattern, range)
                    try peer.expect(pattern, range)
                }
                let handler = try listening.accepted()
                #expect(try server.run { _ in handler.receiveCount } == 300)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func deliversAPipelinedStreamInOrder(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 2)
                let total = bulk(2_000_000)
                let listening = try server.listen { CheckingHandler(pattern, expecting: total) }
                let peer = try listening.connect()
                try peer.send(pattern, 0..<total, pieceBytes: 777)
                let handler = try listening.accepted(CheckingHandler.self)
                try handler.complete.wait("all bytes")
                #expect(try server.run { _ in handler.firstWrongByte } == nil)
                #expect(try server.run { _ in handler.receivedBytes } == total)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func carriesBothDirectionsAtOnce(rung: Rung) throws {
            try withLoop(rung) { server in
                let (up, down) = (Pattern(seed: 3), Pattern(seed: 4))
                let total = bulk(4 << 20)
                let listening = try server.listen {
                    DuplexHandler(sending: down, checking: up, totalBytes: total)
                }
                let peer = try listening.connect()
                let sender = WorkThread { try peer.send(up, 0..<total) }
                try peer.expect(down, 0..<total)
                try sender.join()
                let handler = try listening.accepted(DuplexHandler.self)
                try handler.complete.wait("all bytes")
                #expect(try server.run { _ in handler.isRight })
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func serves1000ConnectionsFromAPoolOf4Buffers(rung: Rung) throws {
            DescriptorLimit.raise()
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 1_024
                options.bufferCount = 4
            }
            try withLoop(rung, configure) { server in
                let listening = try server.listen { EchoHandler() }
                let peers = try (0..<1_000).map { _ in try listening.connect() }
                try exchange(peers, byteCount: 64)
                try exchange(peers, byteCount: 3_000)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func starvedConnectionsWaitForBuffersWithoutSpinning(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 1_024
                options.bufferCount = 2
            }
            try withLoop(rung, configure) { server in
                let hoard = Hoard()
                let keeping = try server.listen { HoardingHandler(hoard) }
                let listening = try server.listen { EchoHandler() }
                for _ in 0..<2 {
                    try keeping.connect().send([1])
                    try hoard.grown.wait("a buffer that is kept")
                }
                let peers = try (0..<20).map { _ in try listening.connect() }
                for (number, peer) in peers.enumerated() {
                    try peer.send(Pattern(seed: number), 0..<500)
                }
                try server.eventually("all starve") { $0.starved.count >= 20 }
                let before = try server.run { $0.metrics.enters }
                try passTime(.milliseconds(100))
                let enters = try server.run { $0.metrics.enters } - before
                #expect(enters < 50)
                try server.run { _ in hoard.first = nil }
                for (number, peer) in peers.enumerated() {
                    try peer.expect(Pattern(seed: number), 0..<500)
                }
                try server.run { _ in hoard.second = nil }
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func echoesBulkPeersOnTheDefaultPool(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peers = try (0..<8).map { _ in try listening.connect() }
                let messageBytes = bulk(1 << 20)
                let work = peers.enumerated().flatMap { number, peer in
                    let pattern = Pattern(seed: number)
                    let range = 0..<3 * messageBytes
                    return [
                        WorkThread { try peer.send(pattern, range, pieceBytes: messageBytes) },
                        WorkThread { try peer.expect(pattern, range) },
                    ]
                }
                for work in work { try work.join() }
                // Without the kernel's own budget a bulk peer takes more than its share; and in a tiny pool
                // the share of one peer is all of it.
                guard rung.keepsReceiveBudget, !StandardSizes.areTiny else { return }
                #expect(try server.run { $0.metrics.starvations } == 0)
            }
        }
    }
}

/// Sends `byteCount` bytes from each peer, then expects them back at each.
func exchange(_ peers: [Peer], byteCount: Int) throws {
    for (number, peer) in peers.enumerated() {
        try peer.send(Pattern(seed: number), 0..<byteCount)
    }
    for (number, peer) in peers.enumerated() {
        try peer.expect(Pattern(seed: number), 0..<byteCount)
    }
}

/// Sends one pattern while it receives another.
private final class DuplexHandler: TestHandler, @unchecked Sendable {
    private let sender: SendingHandler
    private let checker: CheckingHandler
    var complete: Gate { checker.complete }
    var isRight: Bool { checker.firstWrongByte == nil }

    init(sending: Pattern, checking: Pattern, totalBytes: Int) {
        sender = SendingHandler(sending, totalBytes: totalBytes)
        checker = CheckingHandler(checking, expecting: totalBytes)
        super.init()
    }

    override func connectionMade(_ transport: StreamTransport) throws {
        try super.connectionMade(transport)
        try checker.connectionMade(transport)
        try sender.connectionMade(transport)
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        try checker.dataReceived(bytes, on: transport)
    }

    override func writingPaused(on transport: StreamTransport) throws {
        try sender.pauseWriting(on: transport)
    }

    override func writingResumed(on transport: StreamTransport) throws {
        try sender.resumeWriting(on: transport)
    }
}

/// Keeps two pool buffers.
private final class Hoard: @unchecked Sendable {
    var first: ReceivedBytes?
    var second: ReceivedBytes?
    let grown = Gate()
}

private final class HoardingHandler: TestHandler, @unchecked Sendable {
    private let hoard: Hoard

    init(_ hoard: Hoard) {
        self.hoard = hoard
        super.init()
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        if hoard.first == nil {
            hoard.first = consume bytes
        } else {
            hoard.second = consume bytes
        }
        hoard.grown.open()
    }
}
