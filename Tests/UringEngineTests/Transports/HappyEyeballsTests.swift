import Testing
import UringTesting

@testable import UringEngine

/// Several addresses, each with a head start over the next (RFC 8305).
@Suite struct HappyEyeballsTests {
    private final class Outcome {
        var transport: StreamTransport?
        var error: IOError?
        var count = 0
        var handle: ConnectHandle?
    }

    private static let addresses: [SocketAddress] = [
        .ipv6(0, 1, port: 80, scope: 0), .ipv4(0x0A00_0001, port: 80),
        .ipv6(0, 2, port: 80, scope: 0),
    ]

    private func connect(
        _ fixture: LoopFixture,
        to addresses: [SocketAddress] = addresses,
        change: (inout ConnectOptions) -> Void = { _ in }
    ) throws -> Outcome {
        let outcome = Outcome()
        var options = ConnectOptions()
        change(&options)
        outcome.handle = fixture.loop.connect(to: addresses, using: options) {
            RecordingHandler()
        } completion: { result in
            outcome.count += 1
            switch result {
            case .success(let transport): outcome.transport = transport
            case .failure(let error): outcome.error = error as? IOError
            }
        }
        try fixture.settle()
        return outcome
    }

    /// Addresses under way, oldest first.
    private func pending(_ fixture: LoopFixture) -> [SocketAddress] {
        fixture.driver.inFlight.compactMap {
            guard case .connect(_, let address) = $0.verb else { return nil }
            return address
        }
    }

    private func answer(_ fixture: LoopFixture, _ address: SocketAddress, _ result: Int32) throws {
        let operation = try #require(
            fixture.driver.inFlight.first {
                guard case .connect(_, address) = $0.verb else { return false }
                return true
            }
        )
        fixture.driver.complete(operation.token, result: result)
        try fixture.settle()
    }

    private func end(_ fixture: LoopFixture, _ outcome: Outcome) throws {
        #expect(outcome.count == 1)
        outcome.transport?.abort()
        try fixture.settle()
        #expect(fixture.loop.timers.count == 0)
        try fixture.expectBaseline()
    }

    @Test func givesEachAddressAHeadStart() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        #expect(pending(fixture) == Array(Self.addresses[..<1]))
        try fixture.advance(by: .milliseconds(249))
        #expect(pending(fixture).count == 1, "not before its time")
        try fixture.advance(by: .milliseconds(1))
        #expect(pending(fixture) == Array(Self.addresses[..<2]))
        try fixture.advance(by: .milliseconds(250))
        #expect(pending(fixture) == Self.addresses)
        try answer(fixture, Self.addresses[1], 0)
        #expect(try outcome.transport?.peerAddress() == Self.addresses[1])
        #expect(pending(fixture).isEmpty, "the others were cancelled")
        #expect(fixture.driver.openDescriptors.count == 1)
        try end(fixture, outcome)
    }

    @Test func anAddressThatFailsMakesRoomAtOnce() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        try answer(fixture, Self.addresses[0], -Errno.connectionRefused.rawValue)
        #expect(pending(fixture) == [Self.addresses[1]])
        try fixture.advance(by: .milliseconds(249))
        #expect(pending(fixture).count == 1, "its head start began with it")
        try fixture.advance(by: .milliseconds(1))
        #expect(pending(fixture) == Array(Self.addresses[1...]))
        try answer(fixture, Self.addresses[2], -Errno.connectionRefused.rawValue)
        #expect(outcome.count == 0, "one is under way")
        try answer(fixture, Self.addresses[1], 0)
        #expect(outcome.transport != nil)
        try end(fixture, outcome)
    }

    @Test func theLastErrorNamesAllThatWereTried() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        for address in Self.addresses {
            try answer(fixture, address, -Errno.connectionRefused.rawValue)
        }
        let detail = try #require(outcome.error?.detail)
        #expect(outcome.error?.errno == .connectionRefused)
        for address in Self.addresses { #expect(detail.contains("\(address): "), "\(detail)") }
        try end(fixture, outcome)
    }

    /// Two answer in one batch: the second was not cancelled in time.
    @Test func aLoserThatConnectedIsClosed() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        try fixture.advance(by: .milliseconds(250))
        for operation in fixture.driver.inFlight where operation.kind == .connect {
            fixture.driver.complete(operation.token, result: 0)
        }
        try fixture.settle()
        #expect(outcome.transport != nil)
        #expect(fixture.driver.openDescriptors.count == 1)
        try end(fixture, outcome)
    }

    /// The kernel answers a loser after the winner was handed out, whatever it says.
    @Test(arguments: [0, -Errno.cancelled.rawValue, -Errno.connectionRefused.rawValue])
    func aLoserThatIsReapedLateLeavesNothing(result: Int32) throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let outcome = try connect(fixture, to: Array(Self.addresses[..<2]))
        try fixture.advance(by: .milliseconds(250))
        try answer(fixture, Self.addresses[1], 0)
        #expect(outcome.count == 1)
        #expect(fixture.driver.openDescriptors.count == 2)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.complete(cancel.token, result: result == 0 ? -2 : 0)
        try answer(fixture, Self.addresses[0], result)
        #expect(fixture.driver.openDescriptors.count == 1)
        #expect(outcome.count == 1)
        outcome.transport?.abort()
        try fixture.settle()
        // Nothing is answered by itself here.
        for operation in fixture.driver.inFlight {
            let isCancel = operation.kind == .cancel
            fixture.driver.complete(operation.token, result: isCancel ? 0 : -125)
        }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func theTimeoutEndsAllOfThem() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture) { $0.timeout = .milliseconds(600) }
        try fixture.advance(by: .milliseconds(500))
        #expect(pending(fixture).count == 2 || pending(fixture).count == 3)
        try fixture.advance(by: .milliseconds(100))
        #expect(outcome.error?.reason == .deadlineExceeded)
        #expect(pending(fixture).isEmpty)
        try end(fixture, outcome)
    }

    @Test func takenBackItLeavesNothing() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture)
        try fixture.advance(by: .milliseconds(300))
        outcome.handle?.cancel()
        try fixture.settle()
        #expect(outcome.error?.reason == .cancelled)
        outcome.handle = nil
        try end(fixture, outcome)
    }

    @Test func setsOptionsAndBindsBeforeItConnects() throws {
        let fixture = try LoopFixture()
        let local = SocketAddress.ipv4(0x7F00_0001, port: 4_000)
        let outcome = try connect(fixture, to: Array(Self.addresses[..<2])) {
            $0.localAddress = local
            $0.keepAlive = KeepAlive(idle: .seconds(30), interval: .seconds(5), count: 3)
            $0.socketOptions = [.trafficClass(0x20)]
        }
        #expect(pending(fixture) == [Self.addresses[1]], "the other family has no such address")
        try answer(fixture, Self.addresses[1], 0)
        let transport = try #require(outcome.transport)
        #expect(
            fixture.driver.descriptor(transport.descriptor)?.options == [
                .keepAlive(true), .keepAliveIdle(.seconds(30)), .keepAliveInterval(.seconds(5)),
                .keepAliveCount(3), .trafficClass(0x20), .noDelay(true),
            ]
        )
        #expect(try transport.localAddress() == local)
        #expect(try transport.option(.keepAliveCount) == .keepAliveCount(3))
        try end(fixture, outcome)
    }

    @Test func aLocalAddressOfNoFittingFamilyIsAnErrorThatSaysSo() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.addresses[0]]) {
            $0.localAddress = .ipv4(0x7F00_0001, port: 0)
        }
        #expect(outcome.error?.reason == .invalidArgument)
        #expect(outcome.error?.detail?.contains("families differ") == true)
        try end(fixture, outcome)
    }
}
