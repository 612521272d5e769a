import Glibc
import Testing
import UringTesting

@testable import UringEngine

@Suite struct DatagramReceiveTests {
    @Test(arguments: messageKernels)
    func deliversBytesAndSender(isMultishot: Bool) throws {
        let world = try DatagramFixture(DatagramFixture.kernel(isMultishot: isMultishot))
        for bytes in [[1, 2, 3], [], [4]] as [[UInt8]] {
            world.deliver(bytes)
            try world.fixture.settle()
        }
        #expect(world.handler.received == [[1, 2, 3], [], [4]])
        #expect(world.handler.senders == Array(repeating: DatagramFixture.peer, count: 3))
        #expect(world.handler.log == ["made", "data 3", "data 0", "data 1"])
        try world.expectEnd()
    }

    @Test(arguments: messageKernels)
    func aConnectedEndpointAsksForNoSenders(isMultishot: Bool) throws {
        let world = try DatagramFixture(
            DatagramFixture.kernel(isMultishot: isMultishot),
            connected: true
        )
        let armed = try #require(
            world.driver.inFlight(of: .receiveMessage, on: world.descriptor).first
        )
        guard case .receiveMessage(_, let layout, _) = armed.verb else { return }
        #expect(layout == MessageLayout(nameBytes: 0, controlBytes: 0))
        world.deliver([5])
        try world.fixture.settle()
        #expect(world.handler.senders == [DatagramFixture.peer])
        try world.expectEnd()
    }

    @Test(arguments: messageKernels)
    func reportsWhatIsCutOff(isMultishot: Bool) throws {
        let world = try DatagramFixture(DatagramFixture.kernel(isMultishot: isMultishot))
        world.deliver(pattern(100))
        try world.fixture.settle()
        let count = isMultishot ? 32 : 64
        #expect(world.handler.log.last == "truncated \(count)")
        #expect(world.handler.received == [Array(pattern(100)[..<count])])
        try world.expectEnd()
    }

    @Test func armsAgainWheneverAMultishotEnds() throws {
        let world = try DatagramFixture()
        for round in 0..<20 {
            world.deliver([UInt8(round)], isTerminal: round % 2 == 0)
            try world.fixture.settle()
        }
        #expect(world.handler.received == (0..<20).map { [UInt8($0)] })
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).count == 1)
        try world.expectEnd()
    }

    @Test(arguments: [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPROTO])
    func whatTheNetworkSaysIsReportedAndNoEnd(code: Int32) throws {
        let world = try DatagramFixture(connected: true)
        let errno = Errno(rawValue: code)
        world.driver.fail(.receiveMessage, on: world.descriptor, with: errno)
        try world.fixture.settle()
        #expect(world.handler.log == ["made", "error: \(errno)"])
        world.deliver([1])
        try world.fixture.settle()
        #expect(world.handler.received == [[1]])
        try world.expectEnd()
    }

    @Test(arguments: [EBADF, ENOTSOCK, EFAULT, EINVAL])
    func whatWouldComeBackForEverEndsIt(code: Int32) throws {
        let world = try DatagramFixture()
        let errno = Errno(rawValue: code)
        world.driver.fail(.receiveMessage, on: world.descriptor, with: errno)
        try world.fixture.settle()
        #expect(world.handler.log == ["made", "lost: \(errno)"])
        try world.expectEnd()
    }

    @Test func anEmptyPoolMakesItStandInLine() throws {
        let world = try DatagramFixture()
        world.driver.fail(.receiveMessage, on: world.descriptor, with: .noBuffers)
        try world.fixture.tick()
        #expect(world.loop.counters.starvations == 1)
        try world.fixture.settle()
        let armed = world.driver.inFlight(of: .receiveMessage, on: world.descriptor)
        guard case .receiveMessage(_, _, let waits) = try #require(armed.first).verb else { return }
        #expect(waits, "it does not look at once")
        try world.expectEnd()
    }

    @Test func wantOfMemoryIsWaitedOut() throws {
        let world = try DatagramFixture()
        world.driver.fail(.receiveMessage, on: world.descriptor, with: .noMemory)
        try world.fixture.settle()
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).isEmpty)
        try world.fixture.advance(by: .milliseconds(11))
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).count == 1)
        try world.expectEnd()
    }

    @Test func whileTheLoopIsPausedNothingIsDeliveredAndNothingIsLost() throws {
        let world = try DatagramFixture()
        world.transport.pauseReading()
        // It was under way before the cancel counted.
        world.deliver([1], isTerminal: false)
        world.deliver([2], isTerminal: false)
        try world.fixture.settle()
        #expect(world.handler.received.isEmpty)
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).isEmpty)
        world.transport.resumeReading()
        try world.fixture.settle()
        #expect(world.handler.received == [[1], [2]])
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).count == 1)
        try world.expectEnd()
    }

    @Test func whatNobodyTakesEndsTheReceiveAtTheCapAndTakingBeginsItAgain() throws {
        let world = try DatagramFixture()
        world.handler.holds = true
        var count: UInt8 = 0
        while !world.driver.inFlight(of: .receiveMessage, on: world.descriptor).isEmpty, count < 99
        {
            world.deliver([count], isTerminal: false)
            count += 1
            try world.fixture.settle()
        }
        #expect(count > 1 && count < 20, "an input cap of \(world.fixture.inputCap) bytes")
        #expect(world.loop.pool.lentCount <= 1, "what waits behind the first is copied out")
        for number in 0..<count {
            #expect(world.transport.takeHeld()?.copyToArray() == [number])
        }
        #expect(world.transport.takeHeld()?.byteCount == nil)
        try world.fixture.settle()
        #expect(world.driver.inFlight(of: .receiveMessage, on: world.descriptor).count == 1)
        try world.expectEnd()
    }

    @Test func keptDatagramsAreCopiedOutOfAPoolThatIsMostlyLent() throws {
        let world = try DatagramFixture(loop: { $0.bufferCount = 8 })
        world.handler.keeps = true
        for round in 0..<30 {
            world.deliver([UInt8(round)], isTerminal: false)
            try world.fixture.settle()
        }
        #expect(world.handler.received.count == 30)
        #expect(world.loop.pool.lentCount <= 7)
        let bytes = world.handler.kept.map { $0.datagram.copyToArray() }
        #expect(bytes == (0..<30).map { [UInt8($0)] })
        try world.expectEnd()
    }

    @Test(arguments: messageKernels)
    func segmentsThatWerePutTogetherAreDeliveredOneByOne(isMultishot: Bool) throws {
        let world = try DatagramFixture(DatagramFixture.kernel(isMultishot: isMultishot)) {
            $0.receivesSegments = true
        } loop: {
            $0.bufferBytes = DatagramOptions.segmentedBufferBytesMin
            $0.bufferCount = 4
        }
        world.deliver(pattern(2_500), segmentBytes: 1_000)
        try world.fixture.settle()
        #expect(world.handler.received.map(\.count) == [1_000, 1_000, 500])
        #expect(world.handler.received.flatMap { $0 } == pattern(2_500))
        world.deliver(pattern(900), segmentBytes: 1_000)
        try world.fixture.settle()
        #expect(world.handler.received.last == pattern(900))
        #expect(world.loop.pool.lentCount == 0)
        try world.expectEnd()
    }

    @Test func aSegmentWhoseHandlerThrowsIsTheLast() throws {
        let world = try DatagramFixture {
            $0.receivesSegments = true
        } loop: {
            $0.bufferBytes = DatagramOptions.segmentedBufferBytesMin
            $0.bufferCount = 4
        }
        world.handler.onData = { _ in throw RecordingDatagramHandler.Failure() }
        world.deliver(pattern(2_500), segmentBytes: 1_000)
        try world.fixture.settle()
        #expect(world.handler.log == ["made", "data 1000", "lost: cancelled"])
        #expect(world.fixture.failures.map(\.origin) == [.datagramHandler])
        try world.expectEnd()
    }
}
