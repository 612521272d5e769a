import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamConnectorTests {
    private final class Outcome {
        var transport: StreamTransport?
        var error: (any Error)?
        var count = 0
        var ioError: IOError? { error as? IOError }
    }

    private static let first = SocketAddress.ipv4(0x0A00_0001, port: 80)
    private static let second = SocketAddress.ipv6(0, 1, port: 81, scope: 0)

    private func connect(
        _ fixture: LoopFixture,
        to addresses: [SocketAddress],
        timeout: Duration = .seconds(10),
        makeHandler: (() throws -> any StreamHandler)? = nil
    ) throws -> Outcome {
        let outcome = Outcome()
        fixture.loop.connect(
            to: addresses,
            timeout: timeout,
            makeHandler: makeHandler ?? {
                let handler = RecordingHandler()
                fixture.handlers.append(handler)
                return handler
            },
            completion: { result in
                outcome.count += 1
                switch result {
                case .success(let transport): outcome.transport = transport
                case .failure(let error): outcome.error = error
                }
            }
        )
        #expect(outcome.count == 0, "never before `connect` has returned")
        try fixture.settle()
        return outcome
    }

    private func pending(_ fixture: LoopFixture) throws -> (Descriptor, SocketAddress) {
        let operation = try #require(fixture.driver.inFlight.first { $0.kind == .connect })
        guard case .connect(let descriptor, let peer) = operation.verb else {
            throw RecordingHandler.Failure()
        }
        return (descriptor, peer)
    }

    private func answer(_ fixture: LoopFixture, _ result: Int32) throws {
        let operation = try #require(fixture.driver.inFlight.first { $0.kind == .connect })
        fixture.driver.complete(operation.token, result: result)
        try fixture.settle()
    }

    /// Whoever can take a connect back is often who is told of it.
    @Test func keepsNobodyAliveAfterItsEnd() throws {
        final class Asker {
            var handle: ConnectHandle?
            var isAnswered = false
        }
        let fixture = try LoopFixture()
        weak var kept: Asker?
        try {
            let asker = Asker()
            kept = asker
            asker.handle = fixture.loop.connect(
                to: [],
                makeHandler: {
                    _ = asker
                    return RecordingHandler()
                },
                completion: { _ in asker.isAnswered = true }
            )
            try fixture.settle()
            #expect(asker.isAnswered)
        }()
        #expect(kept == nil)
        try fixture.expectBaseline()
    }

    @Test func connectsToTheFirstThatAnswers() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.first, Self.second])
        let (descriptor, peer) = try pending(fixture)
        #expect(peer == Self.first)
        try answer(fixture, 0)
        #expect(outcome.count == 1)
        let transport = try #require(outcome.transport)
        #expect(try transport.peerAddress() == Self.first)
        #expect(fixture.driver.descriptor(descriptor)?.options == [.noDelay(true)])
        #expect(fixture.handlers[0].log == ["made"])
        #expect(fixture.loop.timers.count == 0)
        #expect(fixture.loop.scratch.lentCount == 0)
        fixture.driver.deliver([1], on: descriptor)
        try fixture.settle()
        #expect(fixture.handlers[0].received == [1])
        transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func triesAllInTheirOrder() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.first, .unix([]), Self.second])
        let (failed, _) = try pending(fixture)
        try answer(fixture, -Errno.connectionRefused.rawValue)
        #expect(!fixture.driver.openDescriptors.contains(failed))
        #expect(try pending(fixture).1 == Self.second, "a bad address is passed over")
        try answer(fixture, 0)
        #expect(outcome.transport != nil)
        outcome.transport?.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func surfacesTheLastRefusal() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.second, Self.first])
        try answer(fixture, -Errno.timedOut.rawValue)
        try answer(fixture, -Errno.connectionRefused.rawValue)
        #expect(outcome.count == 1)
        #expect(outcome.ioError?.operation == .connect)
        #expect(outcome.ioError?.errno == .connectionRefused)
        let tried = "[::1]:81: ETIMEDOUT (110), 10.0.0.1:80: ECONNREFUSED (111)"
        #expect(outcome.ioError?.detail == "tried 2 addresses: \(tried)")
        #expect(fixture.handlers.isEmpty)
        try fixture.expectBaseline()
    }

    @Test func refusesAnEmptyList() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [])
        #expect(outcome.count == 1)
        #expect(outcome.ioError?.reason == .invalidArgument)
        try fixture.expectBaseline()
    }

    @Test func goesOnWhenASocketCannotBeOpened() throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.openSocket, with: .tooManyFiles)
        let outcome = try connect(fixture, to: [Self.first, Self.second])
        #expect(try pending(fixture).1 == Self.second)
        try answer(fixture, -Errno.connectionRefused.rawValue)
        #expect(outcome.count == 1)
        try fixture.expectBaseline()
    }

    @Test func cancelsAndReapsAtItsTimeout() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let outcome = try connect(fixture, to: [Self.first], timeout: .seconds(2))
        let (descriptor, _) = try pending(fixture)
        try fixture.advance(by: .seconds(2))
        #expect(outcome.count == 0, "the attempt is reaped first")
        #expect(fixture.driver.openDescriptors == [descriptor])
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.complete(cancel.token, result: 0)
        try answer(fixture, -Errno.cancelled.rawValue)
        #expect(outcome.count == 1)
        #expect(outcome.ioError?.reason == .deadlineExceeded)
        #expect(outcome.ioError?.detail == "10.0.0.1:80")
        try fixture.expectBaseline()
    }

    private func linking(_ driver: ScriptedDriver = ScriptedDriver()) throws -> LoopFixture {
        try LoopFixture(driver) { $0.linksConnectTimeouts = true }
    }

    @Test func leavesItsTimeoutToTheKernel() throws {
        let fixture = try linking()
        let outcome = try connect(fixture, to: [Self.first], timeout: .seconds(2))
        #expect(fixture.loop.timers.count == 0)
        // Nobody but the kernel has cancelled it.
        try answer(fixture, -Errno.cancelled.rawValue)
        #expect(outcome.count == 1)
        #expect(outcome.ioError?.reason == .deadlineExceeded)
        #expect(outcome.ioError?.detail == "10.0.0.1:80")
        try fixture.expectBaseline()
    }

    @Test func keepsItsTimeoutWhenTheKernelCannot() throws {
        var capabilities = ScriptedDriver.everyCapability
        capabilities.linkedTimeout = false
        let fixture = try linking(ScriptedDriver(capabilities: capabilities))
        let outcome = try connect(fixture, to: [Self.first], timeout: .seconds(2))
        _ = try pending(fixture)
        #expect(fixture.loop.timers.count == 1)
        try fixture.advance(by: .seconds(2))
        #expect(outcome.ioError?.reason == .deadlineExceeded)
        try fixture.expectBaseline()
    }

    @Test func keepsTheTimeoutOfSeveralAddresses() throws {
        let fixture = try linking()
        let outcome = try connect(fixture, to: [Self.first, Self.second], timeout: .seconds(2))
        // And the head start of the first.
        #expect(fixture.loop.timers.count == 2)
        try fixture.advance(by: .seconds(2))
        #expect(outcome.ioError?.reason == .deadlineExceeded)
        try fixture.expectBaseline()
    }

    @Test func leaksNothingWhenSuccessRacesItsTimeout() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.first], timeout: .seconds(2))
        fixture.driver.advance(by: .seconds(2))
        let operation = try #require(fixture.driver.inFlight.first { $0.kind == .connect })
        fixture.driver.complete(operation.token, result: 0)
        try fixture.settle()
        #expect(outcome.count == 1)
        outcome.transport?.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func closesWhenTheHandlerCannotBeMade() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.first]) { throw RecordingHandler.Failure() }
        try answer(fixture, 0)
        #expect(outcome.error is RecordingHandler.Failure)
        #expect(outcome.count == 1)
        try fixture.expectBaseline()
    }

    @Test func beginsNothingNewWhenTheLoopShutsDown() throws {
        let fixture = try LoopFixture()
        let outcome = try connect(fixture, to: [Self.first, Self.second, Self.first])
        let attempts = fixture.driver.operations(of: .connect).count
        #expect(fixture.loop.shutDown() == 0)
        #expect(outcome.count == 1)
        #expect(outcome.ioError?.reason == .cancelled)
        #expect(fixture.driver.operations(of: .connect).count == attempts)
        #expect(fixture.driver.openDescriptors.isEmpty)
        #expect(fixture.driver.violations.isEmpty)
    }
}
