import Glibc
import Testing

@testable import UringEngine

@Suite("A poll on epoll")
struct EpollPollTests {
    private func poll(
        _ descriptor: Descriptor,
        _ events: PollEvents = .readable,
        isMultishot: Bool,
        _ harness: EpollHarness
    ) -> OperationToken {
        let token = harness.token(.poll)
        harness.driver.poll(token, on: descriptor, events: events, isMultishot: isMultishot)
        return token
    }

    @Test func firesOnce() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let token = poll(pair.near, isMultishot: false, harness)
        try harness.driver.submitAndWait(.poll)
        #expect(harness.reap().isEmpty)
        pair.write([1])
        let all = try harness.rest(of: token)
        #expect(all.map(\.result) == [Int32(POLLIN)])
    }

    @Test func staysArmedAndFiresForEachEdge() throws {
        let harness = try EpollHarness()
        let event = try EventDescriptorWaker()
        let token = poll(event.descriptor, isMultishot: true, harness)
        for _ in 0..<5 {
            event.wake()
            let all = try harness.completions(1)
            #expect(all.map(\.token) == [token])
            #expect(all.allSatisfy { !$0.isTerminal && $0.result == Int32(POLLIN) })
            event.drain()
        }
        harness.driver.cancel(harness.token(.cancel), target: token)
        #expect(harness.reap().map(\.result) == [-ECANCELED, 0])
        harness.driver.letGo(event.descriptor)
    }

    @Test(arguments: [true, false])
    func ofAWatchedDescriptorFiresForWhatIsReadyAlready(isMultishot: Bool) throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        pair.write([1])
        let first = poll(pair.near, isMultishot: false, harness)
        _ = try harness.rest(of: first)
        let second = poll(pair.near, isMultishot: isMultishot, harness)
        let all = harness.reap()
        #expect(all.map(\.token) == [second] && all.map(\.isTerminal) == [!isMultishot])
    }

    @Test func tellsOfRoomToWrite() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let token = poll(pair.near, .writable, isMultishot: false, harness)
        let all = try harness.rest(of: token)
        #expect(all.map(\.result) == [Int32(POLLOUT)])
    }

    @Test func tellsOfAPeerThatIsGone() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let token = poll(pair.near, isMultishot: false, harness)
        pair.closeFar()
        let last = try #require(try harness.rest(of: token).last)
        #expect(last.result & Int32(POLLHUP) != 0)
    }

    @Test func ofAFileFiresAtOnce() throws {
        let harness = try EpollHarness()
        let file = open("/proc/self/exe", O_RDONLY)
        defer { close(file) }
        let token = poll(Descriptor(rawValue: file), isMultishot: false, harness)
        #expect(try harness.rest(of: token).map(\.result) == [Int32(POLLIN)])
    }

    @Test func ofAClosedNumberIsRefused() throws {
        let harness = try EpollHarness()
        let token = poll(Descriptor(rawValue: 1_000), isMultishot: true, harness)
        #expect(try harness.rest(of: token).map(\.errno) == [.badDescriptor])
    }

    @Test func doesNotDisturbAReceiveOfTheSameDescriptor() throws {
        let harness = try EpollHarness()
        harness.provideAll()
        let pair = try SocketPair()
        let watch = poll(pair.near, isMultishot: true, harness)
        let receive = harness.receive(from: pair.near, byteBudget: 64)
        pair.write([1, 2])
        let all = try harness.completions(2)
        #expect(all.map(\.token) == [watch, receive])
        #expect(all.map(\.result) == [Int32(POLLIN), 2])
    }
}
