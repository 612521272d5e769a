import Testing

@testable import UringEngine

extension Integration {
    @Suite("Descriptor limit") struct DescriptorLimitTests {
        @Test(arguments: Rung.all)
        func acceptBacksOffAtTheDescriptorLimitAndRecovers(rung: Rung) throws {
            DescriptorLimit.raise()
            try withLoop(rung) { server in
                // Sockets first: connecting them takes no more descriptors on this side.
                let somewhere = SocketAddress.ipv4(0x7F00_0001, port: 0)
                let peers = try (0..<1_000).map { _ in server.keep(try Peer(towards: somewhere)) }
                // The kernel reads the limit when an accept is armed, not when it takes a
                // connection.
                let limit = DescriptorLimit(leaving: 20)
                defer { limit.restore() }
                let listening = try server.listen { EchoHandler() }
                for peer in peers { try peer.connect(to: listening.address) }
                let first = peers[0]
                try server.eventually("accepts fail") { $0.metrics.acceptBackoffs > 0 }
                try expectNoSpin(first, on: server)
                let served = try server.run { $0.metrics.connections }
                #expect((2...20).contains(served))
                let lines = server.notes.lines.all.filter { $0.contains("EMFILE") }
                #expect(lines.count == 1, "said once: \(lines)")
                // One that ends makes room for the next, limit or not.
                peers[1].close()
                try server.eventually("the next is accepted") { $0.metrics.connections > served }
                limit.restore()
                try exchange(Array(peers.dropFirst(2)), byteCount: 100)
            }
        }

        /// Round trips of a living connection bound the turns of the loop: an accept that fails
        /// again and again would take thousands more.
        private func expectNoSpin(_ peer: Peer, on server: LoopThread) throws {
            let before = try server.run { $0.metrics.enters }
            let rounds = 200
            for round in 0..<rounds {
                let range = round * 10..<(round + 1) * 10
                try peer.send(Pattern(), range)
                try peer.expect(Pattern(), range)
            }
            let enters = try server.run { $0.metrics.enters } - before
            #expect(enters < UInt64(rounds * 8 + 200))
        }
    }
}
