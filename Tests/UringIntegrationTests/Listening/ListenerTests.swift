import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Listening") struct ListenerTests {
        private static let anyIPv6 = SocketAddress.ipv6(0, 0, port: 0, scope: 0)

        private static func loopback(_ port: UInt16?) -> SocketAddress {
            .ipv4(0x7F00_0001, port: port ?? 0)
        }

        private static func loopback6(_ port: UInt16?) -> SocketAddress {
            .ipv6(0, 1, port: port ?? 0, scope: 0)
        }

        @Test(arguments: Rung.all)
        func closedListenerRefusesAndItsConnectionsLiveOn(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted()
                let closed = Gate()
                try server.run { _ in listening.listener.close { closed.open() } }
                try closed.wait("the listener's end")
                let refusal = #expect(throws: PeerError.self) { try Peer(to: listening.address) }
                #expect(refusal?.code == ECONNREFUSED)
                try exchange([peer], byteCount: 10_000)
                #expect(try server.run { _ in handler.lossCount } == 0)
            }
        }

        @Test(arguments: Rung.all)
        func closedListenerFreesItsPortAtOnce(rung: Rung) throws {
            try withLoop(rung) { server in
                var address = Self.loopback(0)
                for _ in 0..<20 {
                    let listening = try server.listen(on: address) { EchoHandler() }
                    address = listening.address
                    try exchange([try listening.connect()], byteCount: 100)
                    let closed = Gate()
                    try server.run { _ in listening.listener.close { closed.open() } }
                    try closed.wait("the listener's end")
                }
            }
        }

        @Test func portZeroIsResolved() throws {
            try withLoop { server in
                let first = try server.listen { EchoHandler() }
                let second = try server.listen { EchoHandler() }
                #expect(first.address.port != 0)
                #expect(first.address != second.address)
                try exchange([try first.connect(), try second.connect()], byteCount: 10)
            }
        }

        @Test func addressInUseIsAnErrorThatNamesIt() throws {
            try withLoop { server in
                let listening = try server.listen { EchoHandler() }
                let error = #expect(throws: IOError.self) {
                    try server.listen(on: listening.address) { EchoHandler() }
                }
                #expect(error?.errno == .addressInUse)
                #expect(
                    error?.description.contains("\(listening.address)") == true,
                    "\(error as Any)"
                )
                // The failed attempt took nothing from the one that works.
                try exchange([try listening.connect()], byteCount: 10)
            }
        }

        @Test func addressOfSomebodyElseIsAnErrorThatNamesIt() throws {
            try withLoop { server in
                let foreign = SocketAddress.ipv4(0xC000_0201, port: 7_000)
                let error = #expect(throws: IOError.self) {
                    try server.listen(on: foreign) { EchoHandler() }
                }
                #expect(error?.errno?.rawValue == EADDRNOTAVAIL)
                #expect(error?.description.contains("192.0.2.1:7000") == true, "\(error as Any)")
            }
        }

        @Test func dualStackIsTheDefaultOfAnIPv6Listener() throws {
            try withLoop { server in
                let listening = try server.listen(on: Self.anyIPv6) { EchoHandler() }
                let port = listening.address.port
                let peers = [
                    server.keep(try Peer(to: Self.loopback(port))),
                    server.keep(try Peer(to: Self.loopback6(port))),
                ]
                try exchange(peers, byteCount: 1_000)
            }
        }

        @Test func onlyIPv6ListenerRefusesIPv4() throws {
            try withLoop { server in
                let listening = try server.listen(on: Self.anyIPv6) { options in
                    options.isOnlyIPv6 = true
                } makeHandler: {
                    EchoHandler()
                }
                let port = listening.address.port
                let refusal = #expect(throws: PeerError.self) { try Peer(to: Self.loopback(port)) }
                #expect(refusal?.code == ECONNREFUSED)
                let peer = server.keep(try Peer(to: Self.loopback6(port)))
                try exchange([peer], byteCount: 1_000)
            }
        }

        @Test func listenersThatShareAPortBothServe() throws {
            try withLoop { server in
                let first = try server.listen { options in
                    options.sharesPort = true
                } makeHandler: {
                    EchoHandler()
                }
                let second = try server.listen(on: first.address) { options in
                    options.sharesPort = true
                } makeHandler: {
                    EchoHandler()
                }
                let peers = try (0..<64).map { _ in try first.connect() }
                try exchange(peers, byteCount: 100)
                // The kernel spreads them by hash: 64 on one side alone happen once in 2^63.
                _ = try first.accepted()
                _ = try second.accepted()
            }
        }

        @Test(arguments: Rung.all)
        func connectionLimitStopsAcceptingUntilOneEnds(rung: Rung) throws {
            try withLoop(rung) {
                $0.limits.connectionsMax = 4
            } _: { server in
                let listening = try server.listen { EchoHandler() }
                // The kernel completes the handshake of all; those beyond the limit wait to be
                // served.
                let peers = try (0..<40).map { _ in try listening.connect() }
                for (number, peer) in peers.enumerated() {
                    try peer.send(Pattern(seed: number), 0..<100)
                }
                for (number, peer) in peers.enumerated() {
                    try peer.expect(Pattern(seed: number), 0..<100)
                    peer.close()
                }
            }
        }
    }
}
