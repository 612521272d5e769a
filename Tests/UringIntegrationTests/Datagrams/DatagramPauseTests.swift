import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Back-pressure of datagrams", .ordinarySizes) struct DatagramPauseTests {
        @Test(arguments: Rung.all)
        func whatComesWhilePausedIsDeliveredInOrderAfter(rung: Rung) throws {
            try withLoop(rung) { server in
                let endpoint = try Endpoint(server, TestDatagramHandler()) {
                    $0.receiveBufferBytes = 1 << 20
                }
                let transport = endpoint.transport
                try server.run { _ in transport.pauseReading() }
                let peer = server.keep(try DatagramPeer())
                let pattern = Pattern(seed: 5)
                for number in 0..<200 {
                    try peer.send(pattern.datagram(number), to: endpoint.address)
                }
                try server.run { _ in }
                #expect(try endpoint.read { $0.received.isEmpty })
                try server.run { _ in transport.resumeReading() }
                let received = try endpoint.received(200)
                #expect(received.map(\.bytes) == (0..<200).map { pattern.datagram($0) })
                #expect(try endpoint.end() == nil)
            }
        }

        /// A consumer that is silent under a flood holds no more than its cap, and others go on.
        @Test(arguments: Rung.all)
        func aSilentConsumerDoesNotTakeThePool(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 2_048
                options.bufferCount = 32
            }
            try withLoop(rung, configure) { server in
                let silent = SilentDatagramHandler()
                let endpoint = try Endpoint(server, silent) { $0.receiveBufferBytes = 1 << 20 }
                let other = try Endpoint(server, EchoingDatagramHandler())
                let peer = server.keep(try DatagramPeer())
                let bytes = Pattern().bytes(count: 1_500)
                for _ in 0..<500 { try peer.send(bytes, to: endpoint.address) }
                for number in 0..<50 {
                    try peer.send([UInt8(number)], to: other.address)
                    #expect(try peer.receive()?.bytes == [UInt8(number)])
                }
                let held = try server.run { loop in
                    (endpoint.transport.parkedBytes, loop.inputCapBytes, loop.pool.lentCount)
                }
                // One round more than the cap may be under way when the receive is told to end.
                #expect(held.0 <= held.1 + 33 * (2_048 + 128), "\(held)")
                #expect(held.2 <= 32)
                // Everything that it was given is there, in order.
                let taken = try server.run { _ in silent.takeAll(endpoint.transport) }
                #expect(taken > 0)
                try endpoint.close()
                try other.close()
            }
        }

        @Test(arguments: Rung.all)
        func whatHasToWaitIsSentInOrderAndTheWatermarksAreTold(rung: Rung) throws {
            try withSlowReceiver(rung) { server, directory, receiver in
                let endpoint = try Endpoint(
                    server,
                    at: try directory.address("endpoint"),
                    connectedTo: receiver.address,
                    TestDatagramHandler()
                ) {
                    $0.writeHighWatermark = 100_000
                    $0.writeLowWatermark = 10_000
                }
                try expectOrder(of: 300, server, endpoint, to: nil, receiver)
                #expect(try endpoint.end() == nil)
            }
        }

        @Test(arguments: Rung.all)
        func aFullUnixReceiverOfAnEndpointThatHearsEverybodyIsWaitedFor(rung: Rung) throws {
            try withSlowReceiver(rung) { server, directory, receiver in
                let endpoint = try Endpoint(
                    server,
                    at: try directory.address("endpoint"),
                    TestDatagramHandler()
                ) {
                    $0.writeHighWatermark = 100_000
                    $0.writeLowWatermark = 10_000
                }
                try expectOrder(of: 100, server, endpoint, to: receiver.address, receiver)
                #expect(try endpoint.end() == nil)
            }
        }

        /// A Unix receiver that is slow: its queue holds ten datagrams or so.
        private func withSlowReceiver(
            _ rung: Rung,
            _ body: (LoopThread, ScratchDirectory, DatagramPeer) throws -> Void
        ) throws {
            try withLoop(rung) { server in
                try withDirectory { directory in
                    let receiver = server.keep(try DatagramPeer(at: try directory.address("peer")))
                    try body(server, directory, receiver)
                    receiver.close()
                    try directory.remove("peer")
                }
            }
        }

        private func expectOrder(
            of count: Int,
            _ server: LoopThread,
            _ endpoint: Endpoint<TestDatagramHandler>,
            to address: SocketAddress?,
            _ receiver: DatagramPeer
        ) throws {
            let pattern = Pattern(seed: 6)
            let transport = endpoint.transport
            let queued = try server.run { _ in
                for number in 0..<count {
                    try transport.send(pattern.bytes(at: number, count: 2_000), to: address)
                }
                return transport.queuedDatagrams
            }
            #expect(queued > 0, "the receiver's queue is full")
            try endpoint.handler.paused.wait("the high watermark")
            let all = (0..<count).map { pattern.bytes(at: $0, count: 2_000) }
            var order: [Int?] = []
            for _ in 0..<count {
                let bytes = try receiver.receive()?.bytes
                order.append(all.firstIndex { $0 == bytes })
            }
            #expect(order == Array(0..<count))
            try endpoint.handler.resumed.wait("the low watermark")
            #expect(try endpoint.read { $0.pauseCount == 1 && $0.resumeCount == 1 })
        }

        @Test(arguments: Rung.all)
        func aCloseSendsWhatWaits(rung: Rung) throws {
            try withSlowReceiver(rung) { server, directory, receiver in
                let endpoint = try Endpoint(
                    server,
                    at: nil,
                    connectedTo: receiver.address,
                    TestDatagramHandler()
                )
                let transport = endpoint.transport
                try server.run { _ in
                    for number in 0..<60 {
                        try transport.send([UInt8](repeating: UInt8(number), count: 9))
                    }
                    transport.close()
                    #expect(transport.queuedDatagrams > 0)
                    #expect(
                        failure { () throws(IOError) in try transport.send([1]) }?.reason
                            == .closed
                    )
                }
                for number in 0..<60 {
                    #expect(
                        try receiver.receive()?.bytes
                            == [UInt8](repeating: UInt8(number), count: 9)
                    )
                }
                try endpoint.handler.lost.wait("the end of the endpoint")
                #expect(endpoint.handler.loss == nil && endpoint.handler.lossCount == 1)
            }
        }

        @Test(arguments: Rung.all)
        func aCloseGivesUpWhenThereIsNoRoomForTooLong(rung: Rung) throws {
            try withSlowReceiver(rung) { server, directory, receiver in
                let endpoint = try Endpoint(
                    server,
                    at: nil,
                    connectedTo: receiver.address,
                    TestDatagramHandler()
                ) { $0.closeTimeout = .milliseconds(20) }
                let transport = endpoint.transport
                try server.run { _ in
                    for _ in 0..<60 { try transport.send([1]) }
                    transport.close()
                }
                try endpoint.handler.lost.wait("the end of the endpoint")
                #expect(endpoint.handler.loss?.reason == .deadlineExceeded)
                #expect(endpoint.handler.loss?.detail?.contains("datagrams lost") == true)
            }
        }

        @Test(arguments: Rung.all)
        func anAbortLeavesNothingInFlight(rung: Rung) throws {
            try withSlowReceiver(rung) { server, directory, receiver in
                let endpoint = try Endpoint(
                    server,
                    at: try directory.address("endpoint"),
                    connectedTo: receiver.address,
                    TestDatagramHandler()
                )
                let transport = endpoint.transport
                try server.run { _ in
                    for _ in 0..<60 { try transport.send([1]) }
                    transport.abort()
                    transport.abort()
                    transport.close()
                }
                try endpoint.handler.lost.wait("the end of the endpoint")
                #expect(endpoint.handler.loss == nil && endpoint.handler.lossCount == 1)
                #expect(directory.names == ["peer"], "its own file is gone")
            }
        }
    }
}

/// Takes nothing: what comes stays with the transport.
final class SilentDatagramHandler: DatagramHandler {
    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) {
        transport.hold(datagram)
    }

    func takeAll(_ transport: DatagramTransport) -> Int {
        var count = 0
        while transport.takeHeld() != nil { count += 1 }
        return count
    }
}
