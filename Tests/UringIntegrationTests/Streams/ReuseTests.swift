import Testing

@testable import UringEngine

extension Integration {
    @Suite("Descriptor reuse") struct ReuseTests {
        /// Connections end in every way there is, some with bytes on their way in both
        /// directions; the next one gets the same descriptor number and slot, and must see
        /// nothing but its own bytes.
        @Test(arguments: Rung.withZeroCopy)
        func rapidReuseNeverMixesConnections(rung: Rung) throws {
            let connectionCount = rung.featuresOff.isEmpty ? 20_000 : 1_000
            try withLoop(rung) { server in
                let mixtures = Counter()
                let listening = try server.listen { SentinelHandler(mixtures) }
                let workers = (0..<4).map { worker in
                    WorkThread {
                        for number in 0..<connectionCount / 4 {
                            let sentinel = UInt64(worker) << 32 | UInt64(number)
                            try Self.connection(listening.address, sentinel)
                        }
                    }
                }
                for worker in workers { try worker.join() }
                #expect(mixtures.value == 0)
                try server.eventually("all were served") { $0.openConnections == 0 }
                let connections = try server.run { $0.metrics.connections }
                #expect(connections <= UInt64(connectionCount))
                #expect(connections >= UInt64(connectionCount * 3 / 4))
            }
        }

        private static func connection(_ address: SocketAddress, _ sentinel: UInt64) throws {
            let peer = try Peer(to: address)
            let word = (0..<8).map { UInt8(truncatingIfNeeded: sentinel >> ($0 * 8)) }
            try peer.send(word + word)
            // 0 and 1: the answer is on its way when the connection ends.
            if sentinel % 5 > 1 {
                let answer = try peer.receive(16)
                guard answer == word + word else { throw WrongByte(near: 0) }
            }
            switch sentinel % 5 {
            case 0, 2: peer.close()
            case 1, 3: peer.reset()
            default:
                peer.endOutput()
                _ = try peer.receiveToEnd()
                peer.close()
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func thousandsOfConnectionsLeaveNothingBehind(rung: Rung) throws {
            DescriptorLimit.raise()
            let batches = rung.featuresOff.isEmpty ? 10 : 1
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                for _ in 0..<batches {
                    let peers = try (0..<1_000).map { _ in try Peer(to: listening.address) }
                    try exchange(peers, byteCount: 100)
                    for peer in peers { peer.close() }
                    try server.eventually("all have ended") { $0.descriptors.count == 1 }
                    let metrics = try server.run { $0.metrics }
                    #expect(metrics.openConnections == 0 && metrics.buffersLent == 0)
                    #expect(metrics.operationsInFlight == 1, "the accept")
                }
            }
        }
    }
}

/// Echoes, and counts connections whose bytes are not all of one kind.
private final class SentinelHandler: TestHandler, @unchecked Sendable {
    private let mixtures: Counter
    private var word: [UInt8] = []
    private var position = 0

    init(_ mixtures: Counter) {
        self.mixtures = mixtures
        super.init()
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        for byte in bytes.copyToArray() {
            if word.count < 8 {
                word.append(byte)
            } else if word[position % 8] != byte {
                mixtures.add()
            }
            position += 1
        }
        if position > 16 { mixtures.add() }
        transport.write(bytes)
    }
}
