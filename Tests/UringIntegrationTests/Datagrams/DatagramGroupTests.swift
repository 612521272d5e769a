import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Groups and segments of datagrams", .ordinarySizes) struct DatagramGroupTests {
        private static let group = SocketAddress.ipv4(0xEFFF_2A01, port: 0)

        @Test(arguments: Rung.all)
        func membersReceiveWhatIsSentToTheirGroupUntilTheyLeave(rung: Rung) throws {
            try withLoop(rung) { server in
                let lo = try NetworkInterface(name: "lo")
                let member = try Endpoint(
                    server,
                    at: .ipv4(0, port: 0),
                    TestDatagramHandler()
                ) { $0.sharesAddress = true }
                let sender = try Endpoint(server, TestDatagramHandler())
                let port = try #require(member.address.port)
                let target = SocketAddress.ipv4(0xEFFF_2A01, port: port)
                let (receiving, sending) = (member.transport, sender.transport)
                try server.run { _ in
                    try receiving.setOption(.datagram(.joinGroup(Self.group, on: lo)))
                    try sending.setOption(.datagram(.multicastInterface(lo)))
                    try sending.setOption(.datagram(.multicastLoop(true)))
                    try sending.setOption(.datagram(.multicastHops(0)))
                    try sending.send([1], to: target)
                }
                #expect(try member.received(1).map(\.bytes) == [[1]])
                try server.run { _ in
                    try receiving.setOption(.datagram(.leaveGroup(Self.group, on: lo)))
                    try sending.send([3], to: target)
                    // Behind it, to the endpoint itself.
                    try sending.send([4], to: .ipv4(0x7F00_0001, port: port))
                }
                #expect(try member.received(1).map(\.bytes) == [[1], [4]])
                let refused = try server.run { _ in
                    failure { () throws(IOError) in
                        try receiving.setOption(.datagram(.leaveGroup(Self.group, on: lo)))
                    }
                }
                #expect(refused?.errno?.rawValue == EADDRNOTAVAIL)
                #expect(try member.end() == nil)
                #expect(try sender.end() == nil)
            }
        }

        /// Not sent to: loopback has no route to groups of IPv6 as a rule.
        @Test func aGroupOfIPv6IsJoinedAndLeft() throws {
            try withLoop { server in
                let lo = try NetworkInterface(name: "lo")
                let group = try SocketAddress(host: "ff01::2a", port: 0)
                let member = try Endpoint(
                    server,
                    at: .ipv6(0, 0, port: 0, scope: 0),
                    TestDatagramHandler()
                )
                let transport = member.transport
                let again = try server.run { _ in
                    try transport.setOption(.datagram(.joinGroup(group, on: lo)))
                    try transport.setOption(.datagram(.multicastInterface(lo)))
                    try transport.setOption(.datagram(.multicastLoop(true)))
                    try transport.setOption(.datagram(.multicastHops(1)))
                    try transport.setOption(.datagram(.leaveGroup(group, on: lo)))
                    return failure { () throws(IOError) in
                        try transport.setOption(.datagram(.leaveGroup(group, on: lo)))
                    }
                }
                #expect(again?.errno?.rawValue == EADDRNOTAVAIL)
                #expect(try member.end() == nil)
            }
        }

        @Test func broadcastTakesItsOption() throws {
            try withLoop { server in
                let endpoint = try Endpoint(server, TestDatagramHandler())
                let transport = endpoint.transport
                let target = SocketAddress.ipv4(0x7FFF_FFFF, port: 9)
                let refused = try server.run { _ in
                    failure { () throws(IOError) in try transport.send([1], to: target) }
                }
                #expect(refused?.errno == .accessDenied)
                try server.run { _ in
                    try transport.setOption(.datagram(.broadcast(true)))
                    try transport.send([1], to: target)
                }
                #expect(try endpoint.end() == nil)
            }
        }

        @Test func anInterfaceThatIsNotThereIsNamed() {
            let thrown = #expect(throws: IOError.self) { try NetworkInterface(name: "no-such-0") }
            #expect(thrown?.detail?.contains("no-such-0") == true)
        }

        /// 400 datagrams in seven calls, put together by the kernel and taken apart again.
        @Test(arguments: Rung.all, [false, true])
        func segmentsArriveAsTheDatagramsThatTheyAre(rung: Rung, receivesSegments: Bool) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = DatagramOptions.segmentedBufferBytesMin
                options.bufferCount = 16
            }
            try withLoop(rung, configure) { server in
                let receiver = try Endpoint(server, TestDatagramHandler()) {
                    $0.receivesSegments = receivesSegments
                    $0.receiveBufferBytes = 1 << 22
                }
                let sender = try Endpoint(server, TestDatagramHandler())
                let bytes = Pattern(seed: 8).bytes(count: 400 * 1_000 + 123)
                let (sending, target) = (sender.transport, receiver.address)
                try server.run { _ in
                    try sending.send(bytes.span.bytes, inSegmentsOf: 1_000, to: target)
                }
                let received = try receiver.received(401)
                #expect(received.map(\.bytes.count) == Array(repeating: 1_000, count: 400) + [123])
                #expect(received.flatMap(\.bytes) == bytes)
                #expect(received.allSatisfy { $0.sender == sender.address && !$0.isTruncated })
                #expect(try receiver.end() == nil)
                #expect(try sender.end() == nil)
            }
        }
    }
}
