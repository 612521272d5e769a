import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Errors of datagrams", .ordinarySizes) struct DatagramErrorTests {
        /// An address where nobody is.
        private func deadAddress() throws -> SocketAddress {
            let peer = try DatagramPeer()
            defer { peer.close() }
            return peer.address
        }

        @Test(arguments: Rung.all)
        func aRefusalIsReportedAndTheEndpointLivesOn(rung: Rung) throws {
            try withLoop(rung) { server in
                let dead = try deadAddress()
                let endpoint = try Endpoint(
                    server,
                    at: nil,
                    connectedTo: dead,
                    TestDatagramHandler()
                )
                let transport = endpoint.transport
                for _ in 0..<3 {
                    try server.run { _ in try transport.send([1, 2, 3]) }
                    try endpoint.handler.failed.wait("the refusal")
                }
                let errors = try endpoint.read { $0.errors }
                #expect(errors.allSatisfy { $0.errno == .connectionRefused })
                // Somebody comes: the same endpoint talks to him.
                let peer = server.keep(try DatagramPeer(at: dead))
                try server.run { _ in try transport.send([4]) }
                #expect(try peer.receive()?.bytes == [4])
                try peer.send([5], to: endpoint.address)
                #expect(try endpoint.received(1).map(\.bytes) == [[5]])
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: Rung.all)
        func whatIsTooLongIsTheCallersError(rung: Rung) throws {
            try withLoop(rung) { server in
                let endpoint = try Endpoint(server, TestDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                let transport = endpoint.transport
                let address = peer.address
                let refused = try server.run { _ in
                    failure { () throws(IOError) in
                        try transport.send([UInt8](repeating: 1, count: 65_508), to: address)
                    }
                }
                #expect(refused?.errno?.rawValue == EMSGSIZE)
                #expect(refused.map { "\($0)" }?.contains("65508 bytes") == true)
                try server.run { _ in try transport.send([9], to: address) }
                #expect(try peer.receive()?.bytes == [9])
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func aWrongTargetIsNamed(rung: Rung) throws {
            try withLoop(rung) { server in
                let peer = server.keep(try DatagramPeer())
                let open = try Endpoint(server, TestDatagramHandler())
                let connected = try Endpoint(
                    server,
                    at: nil,
                    connectedTo: peer.address,
                    TestDatagramHandler()
                )
                let address = peer.address
                let failures = try server.run { _ in
                    [
                        failure { () throws(IOError) in try open.transport.send([1]) },
                        failure { () throws(IOError) in
                            try connected.transport.send([1], to: address)
                        },
                        failure { () throws(IOError) in
                            try open.transport.send([1], to: .unix([]))
                        },
                        failure { () throws(IOError) in
                            try open.transport.setOption(.datagram(.multicastHops(256)))
                        },
                        failure { () throws(IOError) in
                            try open.transport.setOption(.datagram(.joinGroup(address, on: .any)))
                        },
                        failure { () throws(IOError) in
                            try open.transport.setWriteBufferLimits(low: 2, high: 1)
                        },
                    ]
                }
                #expect(failures.allSatisfy { $0?.reason == .invalidArgument })
                #expect(failures.allSatisfy { $0?.detail != nil })
                #expect(try open.end() == nil)
                #expect(try connected.end() == nil)
                let late = try server.run { _ in
                    [
                        failure { () throws(IOError) in try open.transport.send([1], to: address) },
                        failure { () throws(IOError) in _ = try open.transport.localAddress() },
                    ]
                }
                #expect(late.allSatisfy { $0?.reason == .closed })
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func optionsThatDoNotGoTogetherAreNamed(rung: Rung) throws {
            try withLoop(rung) { server in
                try withDirectory { directory in
                    let path = try directory.address()
                    let local = SocketAddress.ipv4(0x7F00_0001, port: 0)
                    let failures = try server.run { loop in
                        [
                            opening(loop, at: path) { $0.sharesPort = true },
                            opening(loop, at: path) { $0.receivesSegments = true },
                            // The pool's buffers are too small for what the kernel puts together.
                            opening(loop, at: local) { $0.receivesSegments = true },
                            opening(loop, at: path) {
                                $0.unixPermissions = FilePermissions(0o1000)
                            },
                        ]
                    }
                    #expect(failures.allSatisfy { $0?.reason == .invalidArgument })
                    #expect(failures[2]?.detail?.contains("bufferBytes") == true)
                }
            }
        }

        private func opening(
            _ loop: EventLoop,
            at address: SocketAddress,
            _ change: (inout DatagramOptions) -> Void
        ) -> IOError? {
            var options = DatagramOptions()
            change(&options)
            return failure { () throws(IOError) in
                try loop.bindDatagram(to: address, options: options, handler: TestDatagramHandler())
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func aTakenPortIsNamed(rung: Rung) throws {
            try withLoop(rung) { server in
                let peer = server.keep(try DatagramPeer())
                let address = peer.address
                let refused = try server.run { loop in
                    opening(loop, at: address) { _ in }
                }
                #expect(refused?.errno == .addressInUse)
                #expect(refused?.detail?.contains("\(address)") == true)
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func aHandlerThatThrowsLosesItsEndpointAlone(rung: Rung) throws {
            struct Refusal: Error {}
            try withLoop(rung) { server in
                server.expectsFailures = true
                let throwing = TestDatagramHandler()
                throwing.act = { _, _ in throw Refusal() }
                let bad = try Endpoint(server, throwing)
                let good = try Endpoint(server, EchoingDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                try peer.send([1], to: bad.address)
                try throwing.lost.wait("the end of the endpoint")
                #expect(throwing.lossCount == 1 && throwing.misplacedCalls == 0)
                try peer.send([2], to: good.address)
                #expect(try peer.receive()?.bytes == [2])
                #expect(server.notes.failures.all.count == 1)
                try good.close()
            }
        }
    }
}

/// What a call throws; nil when it throws nothing.
func failure<Value>(of body: () throws(IOError) -> Value) -> IOError? {
    do throws(IOError) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}
