import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Unix datagrams", .ordinarySizes) struct DatagramUnixTests {
        @Test(arguments: Rung.all)
        func anEndpointAtAPathAnswersAndTakesItsFileAway(rung: Rung) throws {
            try withLoop(rung) { server in
                try withDirectory { directory in
                    let path = try directory.address("endpoint")
                    let endpoint = try Endpoint(server, at: path, EchoingDatagramHandler()) {
                        $0.unixPermissions = 0o660
                    }
                    #expect(try directory.status(path)?.permissions == 0o660)
                    let peer = server.keep(try DatagramPeer(at: try directory.address("peer")))
                    for count in [1, 1_000, 16_000] {
                        let bytes = Pattern().bytes(count: count)
                        try peer.send(bytes, to: path)
                        let answer = try #require(try peer.receive())
                        #expect(answer.bytes == bytes && answer.sender == path)
                    }
                    try endpoint.close()
                    try server.eventually("the file is gone") { _ in directory.names == ["peer"] }
                    peer.close()
                    try directory.remove("peer")
                }
            }
        }

        @Test(arguments: Rung.all)
        func aSenderWithoutANameIsToldApart(rung: Rung) throws {
            try withLoop(rung) { server in
                let name = try SocketAddress(abstractName: "uringcore-test-\(getpid())-dgram")
                let endpoint = try Endpoint(server, at: name, TestDatagramHandler())
                let peer = server.keep(try DatagramPeer(at: nil, family: AF_UNIX))
                try peer.send([1, 2], to: name)
                try peer.send([], to: name)
                let received = try endpoint.received(2)
                #expect(received.map(\.bytes) == [[1, 2], []])
                #expect(received.allSatisfy { $0.sender == .unix([]) })
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func aPeerThatIsNotThereIsNamed(rung: Rung) throws {
            try withLoop(rung) { server in
                try withDirectory { directory in
                    let path = try directory.address("nobody")
                    let refused = try server.run { loop in
                        failure { () throws(IOError) in
                            try loop.connectDatagram(to: path, handler: TestDatagramHandler())
                        }
                    }
                    #expect(refused?.errno == .notFound)
                    #expect(refused.map { "\($0)" }?.contains("nobody") == true)
                }
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func aPeerThatGoesAwayIsTheCallersErrorAndNoEnd(rung: Rung) throws {
            try withLoop(rung) { server in
                try withDirectory { directory in
                    let path = try directory.address("peer")
                    let peer = try DatagramPeer(at: path)
                    let endpoint = try Endpoint(
                        server,
                        at: nil,
                        connectedTo: path,
                        TestDatagramHandler()
                    )
                    peer.close()
                    let transport = endpoint.transport
                    let refused = try server.run { _ in
                        failure { () throws(IOError) in try transport.send([1]) }
                    }
                    #expect(refused?.errno == .connectionRefused)
                    #expect(try server.run { _ in !transport.isClosing })
                    #expect(try endpoint.end() == nil)
                    try directory.remove("peer")
                }
            }
        }
    }
}
