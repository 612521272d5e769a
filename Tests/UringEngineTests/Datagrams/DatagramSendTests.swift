import Glibc
import Testing
import UringTesting

@testable import UringEngine

@Suite struct DatagramSendTests {
    private func send(_ world: DatagramFixture, _ number: UInt8) throws {
        try world.transport.send([number], to: DatagramFixture.peer)
    }

    private func sent(_ world: DatagramFixture) -> [UInt8] {
        world.driver.sentDatagrams.map { $0.bytes.first ?? 0 }
    }

    @Test func goesOutAtOnceWithoutAnOperation() throws {
        let world = try DatagramFixture()
        try send(world, 1)
        #expect(sent(world) == [1])
        #expect(world.driver.sentDatagrams[0].address == DatagramFixture.peer)
        #expect(world.driver.inFlight.count == 1, "the receive alone")
        try world.expectEnd()
    }

    @Test func waitsInOrderForRoomAndGoesOutDirectly() throws {
        let world = try DatagramFixture()
        var room = 1
        world.driver.onTrySend = { _ in
            room -= 1
            return room >= 0 ? nil : .again
        }
        for number in 1...5 { try send(world, UInt8(number)) }
        #expect(sent(world) == [1])
        #expect(world.transport.queuedDatagrams == 4)
        try world.fixture.settle()
        #expect(world.driver.inFlight(of: .poll, on: world.descriptor).count == 1)
        room = 2
        try world.tellRoom()
        #expect(sent(world) == [1, 2, 3])
        // Room, but others wait: it must not overtake them.
        room = 100
        try send(world, 6)
        #expect(sent(world) == [1, 2, 3])
        try world.tellRoom()
        #expect(sent(world) == [1, 2, 3, 4, 5, 6])
        #expect(world.driver.inFlight(of: .send, on: world.descriptor).isEmpty)
        try world.expectEnd()
    }

    @Test func aReadinessThatLiesDoesNotSpin() throws {
        let world = try DatagramFixture()
        var isFull = true
        var tries = 0
        world.driver.onTrySend = { _ in
            tries += 1
            return isFull ? .again : nil
        }
        try send(world, 1)
        try world.fixture.settle()
        try world.tellRoom()
        #expect(tries == 2)
        #expect(world.driver.inFlight(of: .poll, on: world.descriptor).isEmpty)
        isFull = false
        try world.fixture.advance(by: .milliseconds(2))
        #expect(sent(world) == [1])
        try world.expectEnd()
    }

    @Test(arguments: [ENOBUFS, ENOMEM])
    func aFullDeviceIsTriedAgainInAWhile(code: Int32) throws {
        let world = try DatagramFixture()
        var isFull = true
        world.driver.onTrySend = { _ in isFull ? Errno(rawValue: code) : nil }
        try send(world, 1)
        try send(world, 2)
        try world.fixture.settle()
        #expect(world.driver.inFlight(of: .poll, on: world.descriptor).isEmpty)
        try world.fixture.advance(by: .milliseconds(3))
        #expect(sent(world).isEmpty)
        isFull = false
        try world.fixture.advance(by: .milliseconds(100))
        #expect(sent(world) == [1, 2])
        try world.expectEnd()
    }

    @Test func anErrorOfAnEarlierOneIsReportedAndThisOneIsSent() throws {
        let world = try DatagramFixture(connected: true)
        var pending = true
        world.driver.onTrySend = { _ in
            defer { pending = false }
            return pending ? .connectionRefused : nil
        }
        try world.transport.send([1])
        #expect(world.handler.log == ["made"], "not while the caller is in the middle of it")
        try world.fixture.settle()
        #expect(world.handler.log == ["made", "error: ECONNREFUSED (111)"])
        #expect(sent(world) == [1])
        try world.expectEnd()
    }

    @Test(arguments: [EMSGSIZE, EINVAL, EACCES, EAFNOSUPPORT])
    func whatTheKernelHasAgainstOneIsItsCallersError(code: Int32) throws {
        let world = try DatagramFixture()
        world.driver.onTrySend = { _ in Errno(rawValue: code) }
        let thrown = #expect(throws: IOError.self) { try send(world, 1) }
        #expect(thrown?.errno?.rawValue == code)
        #expect(thrown?.detail == "1 bytes to 10.0.0.1:9")
        world.driver.onTrySend = nil
        try send(world, 2)
        #expect(sent(world) == [2])
        try world.expectEnd()
    }

    @Test func oneThatIsRefusedLateIsReportedAndTheOthersGoOn() throws {
        let world = try DatagramFixture()
        var isFull = true
        world.driver.onTrySend = { datagram in
            if isFull { return .again }
            return datagram.bytes == [2] ? Errno(rawValue: EACCES) : nil
        }
        for number in 1...3 { try send(world, UInt8(number)) }
        isFull = false
        try world.fixture.settle()
        try world.tellRoom()
        #expect(sent(world) == [1, 3])
        #expect(world.handler.log == ["made", "error: EACCES (13)"])
        try world.expectEnd()
    }

    @Test func watermarksAreToldOnceEach() throws {
        let world = try DatagramFixture {
            $0.writeHighWatermark = 1_000
            $0.writeLowWatermark = 200
        }
        var isFull = true
        world.driver.onTrySend = { _ in isFull ? .again : nil }
        for number in 0..<20 { try send(world, UInt8(number)) }
        #expect(world.handler.log == ["made", "pause"])
        isFull = false
        try world.fixture.settle()
        try world.tellRoom()
        #expect(world.handler.log == ["made", "pause", "resume"])
        #expect(sent(world) == (0..<20).map { UInt8($0) })
        #expect(world.transport.writeBufferPinnedBytes == 0)
        try world.expectEnd()
    }

    @Test func aCloseSendsWhatWaitsAndAnAbortDoesNot() throws {
        for aborts in [false, true] {
            let world = try DatagramFixture()
            var isFull = true
            world.driver.onTrySend = { _ in isFull ? .again : nil }
            try send(world, 1)
            try world.fixture.settle()
            if aborts { world.transport.abort() } else { world.transport.close() }
            #expect(throws: IOError.self) { try send(world, 2) }
            isFull = false
            if !aborts { try world.tellRoom() }
            try world.fixture.settle()
            #expect(sent(world) == (aborts ? [] : [1]))
            #expect(world.handler.log == ["made", "lost"])
            try world.expectEnd()
        }
    }

    @Test func aCloseIsGivenUpAfterItsTime() throws {
        let world = try DatagramFixture { $0.closeTimeout = .seconds(1) }
        world.driver.onTrySend = { _ in .again }
        try send(world, 1)
        world.transport.close()
        try world.fixture.advance(by: .milliseconds(900))
        #expect(world.handler.log == ["made"])
        try world.fixture.advance(by: .milliseconds(200))
        #expect(world.handler.log == ["made", "lost: deadline exceeded"])
        try world.expectEnd()
    }

    // MARK: Segments

    @Test func segmentsAreCutByTheKernel() throws {
        let world = try DatagramFixture()
        let bytes = pattern(100 * 1_000 + 5)
        try world.transport.send(bytes.span.bytes, inSegmentsOf: 1_000, to: DatagramFixture.peer)
        let sent = world.driver.sentDatagrams
        #expect(sent.map(\.bytes.count) == [64_000, 36_005])
        #expect(sent.allSatisfy { $0.segmentBytes == 1_000 })
        #expect(sent.flatMap(\.bytes) == bytes)
        try world.expectEnd()
    }

    @Test(arguments: [EIO, EINVAL, EMSGSIZE])
    func segmentsThatItCannotCutAreSentOneByOne(code: Int32) throws {
        let world = try DatagramFixture()
        world.driver.onTrySend = { $0.segmentBytes > 0 ? Errno(rawValue: code) : nil }
        let bytes = pattern(2_500)
        try world.transport.send(bytes.span.bytes, inSegmentsOf: 1_000, to: DatagramFixture.peer)
        #expect(world.driver.sentDatagrams.map(\.bytes.count) == [1_000, 1_000, 500])
        #expect(world.driver.sentDatagrams.flatMap(\.bytes) == bytes)
        try world.expectEnd()
    }

    @Test func segmentsThatWaitedAndCannotBeCutKeepTheirOrder() throws {
        let world = try DatagramFixture()
        var isFull = true
        world.driver.onTrySend = { datagram in
            if isFull { return .again }
            return datagram.segmentBytes > 0 ? Errno(rawValue: EIO) : nil
        }
        let bytes = pattern(2_500)
        try world.transport.send(bytes.span.bytes, inSegmentsOf: 1_000, to: DatagramFixture.peer)
        try send(world, 77)
        isFull = false
        try world.fixture.settle()
        try world.tellRoom()
        #expect(world.driver.sentDatagrams.map(\.bytes.count) == [1_000, 1_000, 500, 1])
        #expect(world.driver.sentDatagrams.prefix(3).flatMap(\.bytes) == bytes)
        #expect(world.transport.writeBufferPinnedBytes == 0)
        try world.expectEnd()
    }

    @Test(arguments: [0, -1, 65_001])
    func aSizeThatNoDatagramHasIsNamed(size: Int) throws {
        let world = try DatagramFixture()
        let bytes: [UInt8] = [1, 2]
        let thrown = #expect(throws: IOError.self) {
            try world.transport.send(bytes.span.bytes, inSegmentsOf: size, to: DatagramFixture.peer)
        }
        #expect(thrown?.reason == .invalidArgument)
        #expect(thrown?.detail?.contains("\(size)") == true)
        try world.expectEnd()
    }
}
