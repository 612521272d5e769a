import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite("A receive on epoll")
struct EpollReceiveTests {
    /// Receives `count` bytes, re-arming when it ended and handing buffers back at once.
    private func receive(
        _ count: Int,
        from descriptor: Descriptor,
        _ harness: EpollHarness
    ) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let token = harness.receive(from: descriptor, byteBudget: 4096)
            var isArmed = true
            while isArmed, bytes.count < count {
                for completion in try harness.completions(1) where completion.token == token {
                    bytes += harness.bytes(of: completion)
                    if completion.buffer != .none { harness.driver.provide(completion.buffer) }
                    harness.driver.publish()
                    isArmed = !completion.isTerminal
                }
            }
            guard isArmed else { continue }
            harness.driver.cancel(harness.token(.cancel), target: token)
            _ = try harness.rest(of: token)
        }
        return bytes
    }

    @Test func takesBytesInOrder() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let pair = try SocketPair()
        let sent = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        pair.write(sent)
        #expect(try receive(sent.count, from: pair.near, harness) == sent)
    }

    @Test func endsWithAZeroAndNoBufferAtTheEndOfTheStream() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let pair = try SocketPair()
        pair.closeFar()
        let token = harness.receive(from: pair.near, byteBudget: 64)
        let last = try #require(try harness.rest(of: token).last)
        #expect(last.result == 0 && last.isTerminal && last.buffer == .none)
    }

    /// No edge follows an end that was there with the bytes.
    @Test(arguments: [1, 64, 65, 640])
    func seesAnEndThatCameWithTheLastBytes(byteCount: Int) throws {
        let harness = try EpollHarness(bufferCount: 16)
        harness.provideAll()
        let pair = try SocketPair()
        let token = harness.receive(from: pair.near, byteBudget: 4096)
        try harness.driver.submitAndWait(.poll)
        pair.write([UInt8](repeating: 1, count: byteCount))
        pair.closeFar()
        let all = try harness.rest(of: token)
        #expect(all.dropLast().reduce(0) { $0 + Int($1.result) } == byteCount)
        #expect(all.last?.result == 0)
    }

    @Test func endsWithENOBUFSAndGoesOnWithoutANewEdge() throws {
        let harness = try EpollHarness(bufferCount: 2)
        harness.provideAll()
        let pair = try SocketPair()
        pair.write([UInt8](repeating: 9, count: 3 * 64))
        let all = try harness.rest(of: harness.receive(from: pair.near, byteBudget: 4096))
        #expect(all.map(\.result) == [64, 64, -ENOBUFS])
        for completion in all where completion.buffer != .none {
            harness.driver.provide(completion.buffer)
        }
        harness.driver.publish()
        #expect(
            try receive(64, from: pair.near, harness) == [UInt8](repeating: 9, count: 64)
        )
    }

    @Test func takesNoBufferThatWasNotPublished() throws {
        let harness = try EpollHarness(bufferCount: 2)
        let pair = try SocketPair()
        pair.write([1])
        harness.driver.provide(BufferID(rawValue: 0))
        let all = try harness.rest(of: harness.receive(from: pair.near, byteBudget: 64))
        #expect(all.map(\.errno) == [.noBuffers])
    }

    @Test(arguments: [(256, 4), (255, 3), (200, 3), (128, 2), (64, 1), (1, 1)])
    func endsWithItsBudgetInWholeBuffers(byteBudget: Int, buffers: Int) throws {
        let harness = try EpollHarness(bufferCount: 16)
        harness.provideAll()
        let pair = try SocketPair()
        pair.write([UInt8](repeating: 1, count: 9 * 64))
        let all = try harness.rest(of: harness.receive(from: pair.near, byteBudget: byteBudget))
        #expect(all.map(\.result) == [Int32](repeating: 64, count: buffers))
        #expect(all.map(\.isTerminal) == (1...buffers).map { $0 == buffers })
        // The rest is there without another edge.
        for completion in all { harness.driver.provide(completion.buffer) }
        harness.driver.publish()
        let left = (9 - buffers) * 64
        #expect(try receive(left, from: pair.near, harness).count == left)
    }

    @Test func needsNoBufferUntilDataComes() throws {
        let harness = try EpollHarness(bufferCount: 2)
        let pair = try SocketPair()
        harness.receive(from: pair.near, byteBudget: 4096)
        try harness.waitOut(nanoseconds: 5_000_000)
        #expect(harness.reap().isEmpty)
        harness.provideAll()
        pair.write([1, 2, 3])
        let first = try #require(try harness.completions(1).first)
        #expect(harness.bytes(of: first) == [1, 2, 3])
    }

    @Test func endsWhenItIsCancelledAndSoDoesTheCancel() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let pair = try SocketPair()
        let receive = harness.receive(from: pair.near, byteBudget: 64)
        let cancel = harness.token(.cancel)
        try harness.driver.submitAndWait(.poll)
        harness.driver.cancel(cancel, target: receive)
        let all = try harness.completions(2)
        #expect(all.map(\.token) == [receive, cancel])
        #expect(all.map(\.result) == [-ECANCELED, 0])
    }

    @Test func cannotBeCancelledOnceItIsOverThoughUnread() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let pair = try SocketPair()
        pair.write([7])
        let receive = harness.receive(from: pair.near, byteBudget: 1)
        try harness.driver.submitAndWait(.poll)
        harness.driver.cancel(harness.token(.cancel), target: receive)
        #expect(harness.reap().map(\.result) == [1, -ENOENT])
    }

    @Test func discardsBytesWithoutABuffer() throws {
        let harness = try EpollHarness()
        let (server, client, listener) = try harness.connectedSockets()
        let sent = [UInt8](repeating: 5, count: 1_000)
        #expect(write(server.rawValue, sent, sent.count) == sent.count)
        let token = harness.token(.discard)
        harness.driver.discard(token, from: client, byteCount: 4_096)
        let gone = try #require(try harness.rest(of: token).last)
        #expect(gone.result == 1_000 && gone.buffer == .none)
        let end = harness.token(.discard)
        harness.driver.discard(end, from: client, byteCount: 4_096)
        harness.driver.close(server)
        #expect(try harness.rest(of: end).map(\.result) == [0])
        for descriptor in [client, listener] { harness.driver.close(descriptor) }
    }

    // MARK: Turns

    @Test func leavesOthersTheirTurnBesideAPeerThatAlwaysHasMore() throws {
        let harness = try EpollHarness(bufferCount: 256)
        harness.provideAll()
        let (firehose, quiet) = (try SocketPair(), try SocketPair())
        let many = harness.receive(from: firehose.near, byteBudget: 1 << 20)
        let few = harness.receive(from: quiet.near, byteBudget: 1 << 20)
        firehose.write([UInt8](repeating: 1, count: 100 * 64))
        quiet.write([2])
        try harness.driver.submitAndWait(.poll)
        let first = harness.reap()
        #expect(first.count { $0.token == many } == 16)
        #expect(first.count { $0.token == few } == 1)
        // Nothing more was written: the rest comes without another edge, and no turn waits for it.
        var received = 16
        while received < 100 {
            try harness.driver.submitAndWait(.forever)
            let count = harness.reap().count { $0.token == many }
            #expect((1...16).contains(count))
            received += count
        }
        #expect(received == 100)
    }

    // MARK: Numbers

    @Test func isNotDisturbedByAnEarlierDescriptorOfTheSameNumber() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        for round in 0..<20 {
            let pair = try SocketPair()
            let copy = dup(pair.near.rawValue)
            let token = harness.receive(from: pair.near, byteBudget: 64)
            pair.write([UInt8(round)])
            let first = try #require(try harness.completions(1).first)
            #expect(harness.bytes(of: first) == [UInt8(round)])
            harness.driver.provide(first.buffer)
            harness.driver.publish()
            harness.driver.cancel(harness.token(.cancel), target: token)
            _ = harness.reap()
            // The copy keeps the watch alive, and more comes to it.
            harness.driver.close(Descriptor(rawValue: pair.near.rawValue))
            pair.write([99])
            try harness.driver.submitAndWait(.poll)
            #expect(harness.reap().isEmpty)
            Glibc.close(copy)
        }
    }

    @Test func worksOnANumberThatWasLetGoAndClosedElsewhere() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        var numbers: Set<Int32> = []
        for round in 0..<4 {
            let pair = try SocketPair()
            numbers.insert(pair.near.rawValue)
            let token = harness.receive(from: pair.near, byteBudget: 64)
            pair.write([UInt8(round)])
            let first = try #require(try harness.completions(1).first)
            #expect(harness.bytes(of: first) == [UInt8(round)])
            harness.driver.provide(first.buffer)
            harness.driver.publish()
            harness.driver.cancel(harness.token(.cancel), target: token)
            _ = harness.reap()
            harness.driver.letGo(pair.near)
        }
        #expect(numbers.count == 1, "the number came back each time")
    }

    @Test(arguments: [-1, 1 << 30] as [Int32])
    func isRefusedOnANumberThatNoSocketHas(_ number: Int32) throws {
        let harness = try EpollHarness()
        let token = harness.receive(from: Descriptor(rawValue: number), byteBudget: 64)
        #expect(try harness.rest(of: token).map(\.errno) == [.badDescriptor])
    }

    @Test func isRefusedOnWhatIsNoSocket() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let file = open("/dev/null", O_RDONLY)
        defer { close(file) }
        let token = harness.receive(from: Descriptor(rawValue: file), byteBudget: 64)
        #expect(try harness.rest(of: token).map(\.errno) == [Errno(rawValue: ENOTSOCK)])
    }
}

extension EpollHarness {
    @discardableResult
    func receive(from descriptor: Descriptor, byteBudget: Int) -> OperationToken {
        let token = token(.receive)
        driver.receive(token, from: descriptor, byteBudget: byteBudget, waitForReadiness: false)
        return token
    }

    /// A TCP connection over loopback, and the listener it came from.
    func connectedSockets() throws -> (
        server: Descriptor, client: Descriptor, listener: Descriptor
    ) {
        let (listener, address) = try driver.loopbackListener()
        let client = try driver.openStreamSocket(for: address)
        let accept = token(.accept)
        driver.accept(accept, on: listener, isMultishot: false)
        let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
        defer { form.deallocate() }
        form.initialize(to: cu_address())
        try address.store(in: &form.pointee)
        driver.connect(token(.connect), on: client, to: form)
        let both = try completions(2)
        #expect(both.allSatisfy { $0.result >= 0 })
        let server = try #require(both.first { $0.token == accept }).result
        return (Descriptor(rawValue: server), client, listener)
    }
}
