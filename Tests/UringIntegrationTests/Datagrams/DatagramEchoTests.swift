import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Datagrams", .ordinarySizes) struct DatagramEchoTests {
        private static let hosts: [SocketAddress] = [
            .ipv4(0x7F00_0001, port: 0), .ipv6(0, 1, port: 0, scope: 0),
        ]

        @Test(arguments: Rung.all, hosts)
        func comeBackWithTheirBytes(rung: Rung, host: SocketAddress) throws {
            try withLoop(rung) { server in
                let endpoint = try Endpoint(server, at: host, EchoingDatagramHandler())
                let peer = server.keep(try DatagramPeer(at: host))
                let pattern = Pattern(seed: 1)
                for count in [1, 64, 1_024, 1_472, 9_000, 16_000] {
                    let bytes = pattern.bytes(at: count, count: count)
                    try peer.send(bytes, to: endpoint.address)
                    let answer = try #require(try peer.receive())
                    #expect(answer.bytes == bytes)
                    #expect(answer.sender == endpoint.address)
                }
                try endpoint.close()
            }
        }

        @Test(arguments: Rung.all)
        func anEmptyOneIsDeliveredAndIsNoEnd(rung: Rung) throws {
            try withLoop(rung) { server in
                let endpoint = try Endpoint(server, TestDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                for round in 0..<20 {
                    try peer.send([], to: endpoint.address)
                    try peer.send([UInt8(round)], to: endpoint.address)
                }
                let received = try endpoint.received(40)
                let expected = (0..<40).map { $0 % 2 == 0 ? [] : [UInt8($0 / 2)] }
                #expect(received.map(\.bytes) == expected)
                #expect(received.allSatisfy { $0.sender == peer.address && !$0.isTruncated })
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: Rung.all)
        func anEmptyOneIsSent(rung: Rung) throws {
            try withLoop(rung) { server in
                let endpoint = try Endpoint(server, TestDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                try server.run { [transport = endpoint.transport, address = peer.address] _ in
                    try transport.send([], to: address)
                    try transport.send([7], to: address)
                }
                #expect(try peer.receive()?.bytes == [])
                #expect(try peer.receive()?.bytes == [7])
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: Rung.all)
        func oneThatIsLongerThanABufferIsReportedAsTruncated(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 1_024
                options.bufferCount = 16
            }
            try withLoop(rung, configure) { server in
                let endpoint = try Endpoint(server, TestDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                let bytes = Pattern().bytes(count: 4_000)
                try peer.send(bytes, to: endpoint.address)
                try peer.send(Array(bytes[..<900]), to: endpoint.address)
                let received = try endpoint.received(2)
                #expect(received[0].isTruncated)
                let count = received[0].bytes.count
                #expect(count >= 1_024 - 64 && count <= 1_024)
                #expect(received[0].bytes == Array(bytes[..<count]))
                #expect(!received[1].isTruncated)
                #expect(received[1].bytes == Array(bytes[..<900]))
                #expect(try endpoint.end() == nil)
            }
        }

        /// The kernel's buffer never overflows: each burst is answered for before the next.
        @Test(arguments: Rung.all)
        func noneIsLostThatTheKernelDelivered(rung: Rung) throws {
            let total = 20_000
            let burst = 100
            try withLoop(rung) { server in
                let handler = CountingDatagramHandler()
                let endpoint = try Endpoint(server, handler) { $0.receiveBufferBytes = 1 << 20 }
                let peer = server.keep(try DatagramPeer())
                let pattern = Pattern(seed: 3)
                for first in stride(from: 0, to: total, by: burst) {
                    for number in first..<first + burst {
                        try peer.send(pattern.datagram(number), to: endpoint.address)
                    }
                    // The last of a burst asks for an answer.
                    let answer = try #require(try peer.receive())
                    #expect(answer.bytes == [UInt8](String(first + burst).utf8))
                }
                #expect(try endpoint.read { $0.count } == total)
                #expect(try endpoint.read { $0.wrong } == 0)
                try endpoint.close()
            }
        }

        @Test(arguments: Rung.all)
        func manyEndpointsShareOneSmallPool(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 2_048
                options.bufferCount = 4
            }
            try withLoop(rung, configure) { server in
                let endpoints = try (0..<8).map { _ in
                    try Endpoint(server, EchoingDatagramHandler())
                }
                let peer = server.keep(try DatagramPeer())
                let pattern = Pattern(seed: 4)
                for round in 0..<50 {
                    for endpoint in endpoints {
                        try peer.send(pattern.datagram(round), to: endpoint.address)
                    }
                    for _ in endpoints {
                        #expect(try peer.receive()?.bytes == pattern.datagram(round))
                    }
                }
                for endpoint in endpoints { try endpoint.close() }
            }
        }
    }
}

extension Pattern {
    /// The bytes of the datagram with this number: its number, and a stretch of the pattern.
    func datagram(_ number: Int) -> [UInt8] {
        let head = withUnsafeBytes(of: UInt32(number)) { Array($0) }
        return head + bytes(at: number * 31, count: number % 600)
    }
}

/// Checks each datagram in order, and answers each hundredth.
final class CountingDatagramHandler: DatagramHandler {
    private(set) var count = 0
    private(set) var wrong = 0
    private let pattern = Pattern(seed: 3)

    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws {
        if datagram.copyToArray() != pattern.datagram(count) { wrong += 1 }
        count += 1
        if count % 100 == 0 { try transport.send([UInt8](String(count).utf8), to: datagram.sender) }
    }
}
