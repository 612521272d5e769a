import Testing

@testable import UringCore
@testable import UringEngine

/// Datagram sockets in async code.
@Suite("Datagram endpoints of a shard", .serialized, .ordinarySizes)
struct DatagramEndpointTests {
    private static let any = SocketAddress.ipv4(0x7F00_0001, port: 0)

    @Test func talkToEachOther() async throws {
        try await withShards { run in
            try await run.on { shard in
                let server = try shard.bindDatagram(to: Self.any)
                let client = try shard.connectDatagram(to: server.localAddress)
                #expect(try client.peer == server.localAddress && server.peer == nil)
                for count in [0, 1, 64, 9_000] {
                    let bytes = KnownBytes.bytes(at: count, count: count)
                    try await client.send(bytes)
                    guard let asked = try await server.receive() else { return }
                    let sender = asked.sender
                    let isTruncated = asked.isTruncated
                    #expect(try sender == client.localAddress && !isTruncated)
                    try await server.send(asked.takeBytes(), to: sender)
                    #expect(try await client.receiveArray() == bytes)
                    try await client.send(OwnedBytes(copying: bytes.span.bytes))
                    #expect(try await server.receiveArray() == bytes)
                }
                try await client.close()
                try await server.close()
                #expect(client.isClosing)
            }
        }
    }

    @Test func segmentsAndTheSequence() async throws {
        try await withShards { run in
            try await run.on { shard in
                let server = try shard.bindDatagram(to: Self.any)
                let client = try shard.bindDatagram(to: Self.any, placement: .single)
                let bytes = KnownBytes.bytes(at: 0, count: 2_500)
                try await client.send(bytes, inSegmentsOf: 1_000, to: server.localAddress)
                var parts: [DatagramSequence.Element] = []
                for try await part in server.datagrams {
                    parts.append(part)
                    if parts.count == 3 { break }
                }
                #expect(parts.map(\.bytes.count) == [1_000, 1_000, 500])
                #expect(parts.flatMap(\.bytes) == bytes)
                let address = try client.localAddress
                #expect(parts.allSatisfy { $0.sender == address })
            }
        }
    }

    @Test func aRefusalIsThrownOnceAndTheEndpointLivesOn() async throws {
        try await withShards { run in
            try await run.on { shard in
                let gone = try shard.bindDatagram(to: Self.any, placement: .single)
                let address = try gone.localAddress
                try await gone.close()
                let client = try shard.connectDatagram(to: address)
                try await client.send([1])
                let reason = await thrownReason { _ = try await client.receive() }
                #expect(reason == .errno(.connectionRefused))
                let back = try shard.bindDatagram(to: address, placement: .single)
                try await client.send([2])
                #expect(try await back.receiveArray() == [2])
            }
        }
    }

    @Test func aWaitEndsWithItsTimeAndLosesNothing() async throws {
        try await withShards { run in
            try await run.on { shard in
                let server = try shard.bindDatagram(to: Self.any)
                let reason = await thrownReason {
                    _ = try await server.receive(timeout: .milliseconds(5))
                }
                #expect(reason == .deadlineExceeded)
                let client = try shard.connectDatagram(to: server.localAddress)
                try await client.send([3])
                #expect(try await server.receiveArray(timeout: .seconds(60)) == [3])
            }
        }
    }

    @Test(arguments: CancellationTests.Source.allCases)
    func aCancelEndsAReceiveAndLosesNothing(_ source: CancellationTests.Source) async throws {
        try await withShards(2) { run in
            let server = try await run.on { try $0.bindDatagram(to: Self.any) }
            let client = try await run.on { try $0.connectDatagram(to: server.localAddress) }
            let gate = EventGate()
            let receiving = run.task { _ in
                gate.open()
                return try await server.receiveArray()
            }
            try await gate.opened("a receive")
            try await run.cancel(receiving, from: source)
            #expect(await thrownReason { try await ended(receiving, "a receive") } == .cancelled)
            try await run.on { _ in
                try await client.send([4])
                #expect(try await server.receiveArray() == [4])
            }
            server.abort()
            client.abort()
        }
    }

    @Test func aSecondReceiverAndAnotherShardAreNamed() async throws {
        try await withShards(2) { run in
            let server = try await run.on { try $0.bindDatagram(to: Self.any) }
            let gate = EventGate()
            let receiving = run.task { _ in
                gate.open()
                return try await server.receiveArray()
            }
            try await gate.opened("a receive")
            let second = try await run.on { _ in
                await thrownReason { _ = try await server.receive() }
            }
            #expect(second == .busy)
            let elsewhere = try await run.on(1) { _ in
                [
                    await thrownReason { _ = try await server.receive() },
                    await thrownReason { try await server.send([1], to: Self.any) },
                    await thrownReason { _ = try server.localAddress },
                    await thrownReason { try await server.close() },
                ]
            }
            #expect(elsewhere == Array(repeating: .wrongShard, count: 4))
            server.abort()
            #expect(await thrownReason { try await ended(receiving, "a receive") } == .closed)
        }
    }

    /// What is not held any more is closed, whoever let it go.
    @Test func anEndpointThatNobodyHoldsIsClosed() async throws {
        try await withShards { run in
            let address = try await run.on { shard in
                try shard.bindDatagram(to: Self.any).localAddress
            }
            try await run.eventually("the endpoint is closed", on: run.shards[0]) {
                $0.loop.metrics.descriptors == 0
            }
            try await run.on { shard in
                let again = try shard.bindDatagram(to: address)
                #expect(try again.localAddress == address)
            }
        }
    }

    @Test func aSendAboveTheWatermarkWaitsForRoom() async throws {
        try await withShards { run in
            try await run.on { shard in
                let name = "uringcore-core-test-\(shard.loop.now)"
                let address = try SocketAddress(abstractName: name)
                let server = try shard.bindDatagram(to: address)
                let client = try shard.connectDatagram(to: address)
                try client.setWriteBufferLimits(low: 0, high: 0)
                var reason: IOError.Reason?
                // Nobody receives: the kernel's queue fills up, then the transport's parking place.
                var sent = 0
                while reason == nil, sent < 5_000 {
                    do throws(IOError) {
                        let bytes = [UInt8](repeating: 1, count: 9_000)
                        try await client.send(bytes, timeout: .milliseconds(20))
                        sent += 1
                    } catch {
                        reason = error.reason
                    }
                }
                #expect(reason == .deadlineExceeded)
                // The one that threw was queued all the same.
                for _ in 0...sent { #expect(try await server.receiveArray()?.count == 9_000) }
                try await client.send([9])
                #expect(try await server.receiveArray() == [9])
            }
        }
    }

    @Test func aDrainEndsReceiversAndLetsThemAnswer() async throws {
        try await withShards { run in
            let ready = EventGate()
            let server = try await run.on { try $0.bindDatagram(to: Self.any) }
            let client = try await run.on { try $0.connectDatagram(to: server.localAddress) }
            let serving = run.task { _ in
                ready.open()
                while let datagram = try await server.receive() {
                    let sender = datagram.sender
                    try await server.send(datagram.takeBytes(), to: sender)
                }
                // The drain has begun, and the last word is still said.
                try await server.send([7], to: client.localAddress)
            }
            try await ready.opened("a server")
            try await run.on { _ in
                try await client.send([1])
                #expect(try await client.receiveArray() == [1])
            }
            run.drain()
            try await ended(serving, "a server")
            client.abort()
        }
    }

    @Test func afterTheDrainNothingIsOpened() async throws {
        try await withShards { run in
            let opening = run.task { shard in
                try await shard.untilDrain()
                _ = try shard.bindDatagram(to: Self.any)
            }
            run.drain()
            #expect(await thrownReason { try await ended(opening, "an opening") } == .closed)
        }
    }

    // MARK: Shards that share an address

    @Test func everyShardHasASocketAtOnePort() async throws {
        try await withShards(2) { run in
            let served = SharedList<Int>()
            let first = try await run.on(0) { try $0.bindDatagram(to: Self.any) }
            let address = try await run.on(0) { _ in try first.localAddress }
            let second = try await run.on(1) { try $0.bindDatagram(to: address) }
            let again = await thrownReason {
                try await run.on(1) { _ = try $0.bindDatagram(to: address) }
            }
            #expect(again == .busy)
            for (index, endpoint) in [first, second].enumerated() {
                _ = run.task(on: index) { _ in
                    while let datagram = try await endpoint.receive() {
                        served.append(index)
                        let sender = datagram.sender
                        try await endpoint.send(datagram.takeBytes(), to: sender)
                    }
                }
            }
            // The kernel spreads senders by a hash of their ports: of 200 both get some.
            try await run.on(0) { shard in
                for number in 0..<200 {
                    let client = try shard.connectDatagram(to: address)
                    try await client.send([UInt8(number)])
                    #expect(try await client.receiveArray() == [UInt8(number)])
                    try await client.close()
                }
            }
            #expect(Set(served.all) == [0, 1])
            #expect(served.all.count == 200)
            first.abort()
            second.abort()
        }
    }

    @Test func aPortOfAnotherServerIsRefused() async throws {
        try await withShards(2) { run in
            let first = try await run.on(0) { try $0.bindDatagram(to: Self.any) }
            let address = try await run.on(0) { _ in try first.localAddress }
            try await withShards(2) { other in
                let reason = await thrownReason {
                    try await other.on(0) { _ = try $0.bindDatagram(to: address) }
                }
                #expect(reason == .errno(.addressInUse))
            }
            first.abort()
        }
    }

    @Test func aCallbackHandlerServesBesideOthers() async throws {
        final class Echo: DatagramHandler {
            func datagramReceived(
                _ datagram: consuming Datagram,
                on transport: DatagramTransport
            ) throws {
                let sender = datagram.sender
                try transport.send(datagram.takeBytes(), to: sender)
            }
        }
        try await withShards { run in
            try await run.on { shard in
                let transport = try shard.bindDatagram(to: Self.any, handler: Echo())
                let client = try shard.connectDatagram(to: transport.localAddress())
                try await client.send([5, 6])
                #expect(try await client.receiveArray() == [5, 6])
                transport.close()
            }
        }
    }
}

extension DatagramEndpoint {
    /// The next datagram's bytes; nil when the shard drains.
    fileprivate func receiveArray(timeout: Duration? = nil) async throws(IOError) -> [UInt8]? {
        try await receive(timeout: timeout)?.copyToArray()
    }
}
