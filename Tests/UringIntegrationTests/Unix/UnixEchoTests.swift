import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Unix sockets") struct UnixEchoTests {
        /// A name that no other run of the tests has.
        private static var abstract: SocketAddress {
            .unix([0] + Array("uringcore-test-\(getpid())".utf8))
        }

        @Test(arguments: Rung.all)
        func echoesOverAPath(rung: Rung) throws {
            try withDirectory { directory in
                try withLoop(rung) { server in
                    try echo(on: try directory.address(), server)
                }
            }
        }

        @Test(arguments: Rung.all)
        func echoesOverAnAbstractName(rung: Rung) throws {
            try withLoop(rung) { server in
                try echo(on: Self.abstract, server)
            }
        }

        private func echo(on address: SocketAddress, _ server: LoopThread) throws {
            let listening = try server.listen(on: address) { EchoHandler() }
            #expect(listening.address == address)
            let peers = try (0..<20).map { _ in try listening.connect() }
            for _ in 0..<10 { try exchange(peers, byteCount: 5_000) }
            let pattern = Pattern(seed: 5)
            let sender = WorkThread {
                try peers[0].send(pattern, 0..<bulk(1_000_000))
                peers[0].endOutput()
            }
            try peers[0].expect(pattern, 0..<bulk(1_000_000))
            #expect(try peers[0].ending() == .eof)
            try sender.join()
        }

        /// One buffer for all: most find none, and when it is their turn bytes and end are there together.
        @Test(arguments: Rung.all)
        func findsTheEndBehindBytesThatWaitedForABuffer(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 64
                options.bufferCount = 1
            }
            try withDirectory { directory in
                try withLoop(rung, configure) { server in
                    let listening = try server.listen(on: try directory.address()) { EchoHandler() }
                    let peers = try (0..<8).map { _ in try listening.connect() }
                    let handlers = try peers.map { _ in try listening.accepted() }
                    try exchange(peers, byteCount: 100)
                    let hold = try Hold(server)
                    for (number, peer) in peers.enumerated() {
                        try peer.send(Pattern(seed: number), 0..<200)
                        peer.endOutput()
                    }
                    hold.release()
                    for (number, peer) in peers.enumerated() {
                        try peer.expect(Pattern(seed: number), 0..<200)
                        #expect(try peer.ending() == .eof)
                    }
                    for handler in handlers { try handler.lost.wait("connectionLost") }
                }
            }
        }

        @Test(arguments: Rung.all)
        func carriesTenMegabytesBothWaysThroughTinyBuffers(rung: Rung) throws {
            let total = bulk(rung.featuresOff.isEmpty ? 10 << 20 : 2 << 20)
            try withDirectory { directory in
                try withLoop(rung) { server in
                    let listening = try server.listen(on: try directory.address()) {
                        let handler = EchoHandler()
                        handler.whenMade = { try $0.setOption(.sendBufferBytes(4_096)) }
                        return handler
                    }
                    let peer = try listening.connect(Peer.Buffers(send: 4_096))
                    let pattern = Pattern(seed: 1)
                    let sender = WorkThread {
                        try peer.send(pattern, 0..<total)
                        peer.endOutput()
                    }
                    try peer.expect(pattern, 0..<total)
                    #expect(try peer.ending() == .eof)
                    try sender.join()
                    try expectOneCleanLoss(of: try listening.accepted(), on: server)
                }
            }
        }

        @Test func tellsTheAddressesOfBothEnds() throws {
            try withDirectory { directory in
                try withLoop { server in
                    let address = try directory.address()
                    let listening = try server.listen(on: address) { TestHandler() }
                    let client = TestHandler()
                    let transport = try server.connect(to: [address], client).get()
                    let handler = try listening.accepted()
                    let ends = try server.run { _ in
                        [
                            try transport.localAddress(), try transport.peerAddress(),
                            try handler.transport?.localAddress(),
                            try handler.transport?.peerAddress(),
                        ]
                    }
                    #expect(ends == [.unix([]), address, address, .unix([])])
                    try server.run { _ in transport.close() }
                    try expectOneCleanLoss(of: handler, on: server)
                }
            }
        }

        /// A kernel is known that loses the end of a Unix stream when its peer shuts it down while a
        /// multishot receive is being armed (liburing issue 1549).
        @Test(arguments: Rung.all)
        func seesTheEndThatRacesItsReceive(rung: Rung) throws {
            let rounds = rung.featuresOff.isEmpty ? 10_000 : 1_000
            try withDirectory { directory in
                try withLoop(rung) { server in
                    let listening = try server.listen(on: try directory.address()) { EchoHandler() }
                    var random = UInt64(1)
                    for round in 0..<rounds {
                        let peer = try Peer(to: listening.address)
                        let byteCount = round % 3 * 700
                        try peer.send(Pattern(), 0..<byteCount)
                        // Up to some ten microseconds, each value of which hits another step.
                        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        for _ in 0..<(random >> 33) % 4_000 { _ = getppid() }
                        peer.endOutput()
                        try peer.expect(Pattern(), 0..<byteCount)
                        #expect(try peer.ending() == .eof)
                        peer.close()
                        let handler = try listening.accepted()
                        try handler.lost.wait("connectionLost of round \(round)")
                        let (received, loss) = try server.run { _ in
                            (handler.receivedBytes, handler.loss)
                        }
                        #expect(received == byteCount && loss == nil)
                    }
                }
            }
        }
    }
}
