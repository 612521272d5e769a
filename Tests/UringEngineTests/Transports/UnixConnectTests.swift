import Testing
import UringTesting

@testable import UringEngine

@Suite struct UnixConnectTests {
    private final class Outcome {
        var transport: StreamTransport?
        var error: IOError?
        var count = 0
    }

    private static let path = SocketAddress.unix(Array("/run/server".utf8))
    private static let other = SocketAddress.unix([0] + Array("other".utf8))

    private func connect(
        _ fixture: LoopFixture,
        to addresses: [SocketAddress] = [path],
        timeout: Duration = .seconds(10)
    ) throws -> Outcome {
        let outcome = Outcome()
        fixture.loop.connect(to: addresses, timeout: timeout) {
            RecordingHandler()
        } completion: { result in
            outcome.count += 1
            switch result {
            case .success(let transport): outcome.transport = transport
            case .failure(let error): outcome.error = error as? IOError
            }
        }
        #expect(outcome.count == 0, "never before `connect` has returned")
        try fixture.settle()
        return outcome
    }

    private func fillQueue(_ fixture: LoopFixture, times: Int) {
        for _ in 0..<times { fixture.driver.failNext(.connectAtOnce, with: .again) }
    }

    private func attempts(_ fixture: LoopFixture) -> Int {
        fixture.driver.journal.filter { $0 == .refused(.connectAtOnce, .again) }.count
    }

    private func end(_ fixture: LoopFixture, _ outcome: Outcome) throws {
        #expect(outcome.count == 1)
        outcome.transport?.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func connectsWithoutAnOperationAndWithoutOptionsOfTCP() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        let transport = try #require(outcome.transport)
        #expect(try transport.peerAddress() == Self.path)
        #expect(fixture.driver.operations(of: .connect).isEmpty)
        #expect(fixture.driver.descriptor(transport.descriptor)?.options == [])
        #expect(fixture.loop.timers.count == 0)
        try end(fixture, outcome)
    }

    @Test(arguments: [
        Errno.notFound, .connectionRefused, .permissionDenied, .wrongProtocolType,
    ])
    func surfacesWhatTheKernelSays(errno: Errno) throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.connectAtOnce, with: errno)
        let outcome = try connect(fixture)
        #expect(outcome.error?.operation == .connect)
        #expect(outcome.error?.errno == errno)
        try end(fixture, outcome)
    }

    @Test func triesTheNextAddressWhereTheFirstRefuses() throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.connectAtOnce, with: .connectionRefused)
        let outcome = try connect(fixture, to: [Self.path, .unix([]), Self.other])
        #expect(try outcome.transport?.peerAddress() == Self.other)
        try end(fixture, outcome)
    }

    @Test func asksAFullQueueAgainInEverLongerPauses() throws {
        let fixture = try LoopFixture()
        fillQueue(fixture, times: 9)
        let outcome = try connect(fixture)
        for (number, pause) in [1, 2, 4, 8, 16, 32, 64, 64, 64].enumerated() {
            #expect(attempts(fixture) == number + 1)
            #expect(outcome.count == 0)
            try fixture.advance(by: .microseconds(pause * 1_000 - 1))
            #expect(attempts(fixture) == number + 1, "not before its time")
            try fixture.advance(by: .microseconds(1))
        }
        #expect(outcome.transport != nil, "on the same socket")
        #expect(
            fixture.driver.journal.filter { if case .openedSocket = $0 { true } else { false } }
                .count == 1
        )
        try end(fixture, outcome)
    }

    @Test func givesUpAFullQueueAtItsTimeout() throws {
        let fixture = try LoopFixture()
        fillQueue(fixture, times: 10_000)
        let outcome = try connect(fixture, to: [Self.path, Self.other], timeout: .seconds(2))
        for _ in 0..<199 { try fixture.advance(by: .milliseconds(10)) }
        #expect(outcome.count == 0)
        try fixture.advance(by: .milliseconds(10))
        #expect(outcome.error?.reason == .deadlineExceeded)
        let detail = try #require(outcome.error?.detail)
        #expect(detail.contains("unix:/run/server: its queue is full"), "\(detail)")
        #expect(detail.contains("unix:@other: its queue is full"), "\(detail)")
        #expect(attempts(fixture) < 100, "bounded, on each of two sockets")
        try end(fixture, outcome)
    }

    @Test func endsAPauseWhenTheLoopShutsDown() throws {
        let fixture = try LoopFixture()
        fillQueue(fixture, times: 1)
        let outcome = try connect(fixture)
        #expect(fixture.loop.shutDown() == 0)
        #expect(outcome.count == 1)
        #expect(outcome.error?.reason == .cancelled)
        #expect(fixture.driver.openDescriptors.isEmpty)
        #expect(fixture.loop.timers.count == 0)
    }

    /// The connection stands, and its descriptor is on its way out of the table.
    @Test func leaksNothingWhenSuccessRacesItsTimeout() throws {
        let fixture = try LoopFixture()
        fillQueue(fixture, times: 1)
        // Both timers are due in one tick: the second attempt's first.
        let outcome = try connect(fixture, timeout: .microseconds(1_001))
        try fixture.advance(by: .milliseconds(2))
        #expect(outcome.transport != nil)
        try end(fixture, outcome)
    }
}
