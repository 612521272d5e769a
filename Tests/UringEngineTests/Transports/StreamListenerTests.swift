import Synchronization
import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamListenerTests {
    private func accepts(_ fixture: LoopFixture) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: .accept, on: fixture.listenerDescriptor)
    }

    private func end(_ fixture: LoopFixture) throws {
        for handler in fixture.handlers { handler.transport.abort() }
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func opensBindsAndListens() throws {
        let fixture = try LoopFixture()
        var options = ListenerOptions()
        options.sharesPort = true
        options.backlog = 7
        let listener = try fixture.listen(options)
        let descriptor = fixture.listenerDescriptor
        #expect(listener.address.port != 0, "port 0 is resolved")
        #expect(
            fixture.driver.descriptor(descriptor)?.options == [
                .reuseAddress(true), .reusePort(true), .noDelay(true),
            ]
        )
        #expect(fixture.driver.events(on: descriptor).last == .listened(descriptor, backlog: 7))
        try end(fixture)
    }

    @Test(arguments: [ScriptedCall.openSocket, .setOption, .bind, .listen, .localAddress])
    func leaksNothingWhenItCannotListen(call: ScriptedCall) throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(call, with: .addressInUse)
        let error = #expect(throws: IOError.self) { try fixture.listen() }
        #expect(error?.errno == .addressInUse)
        try fixture.expectBaseline()
    }

    @Test func armsAgainWhenTheMultishotEnds() throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        for count in 1...4 {
            fixture.driver.acceptConnection(
                on: fixture.listenerDescriptor,
                isTerminal: count % 2 == 0
            )
            try fixture.settle()
            #expect(accepts(fixture).count == 1)
            #expect(fixture.loop.metrics.openConnections == count)
        }
        try end(fixture)
    }

    @Test(arguments: [Errno.connectionAborted, .interrupted, .again, .cancelled])
    func goesOnAfterAPeerThatGaveUp(errno: Errno) throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: errno)
        try fixture.settle()
        #expect(accepts(fixture).count == 1)
        #expect(fixture.loop.metrics.acceptBackoffs == 0)
        try end(fixture)
    }

    @Test(arguments: [Errno.tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers, .invalid])
    func backsOffWithoutASpin(errno: Errno) throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        var pauses: [UInt64] = []
        for _ in 0..<10 {
            fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: errno)
            try fixture.settle()
            #expect(accepts(fixture).isEmpty)
            #expect(fixture.loop.timers.count == 1)
            let start = fixture.driver.now()
            try fixture.loop.runOnce(mayWait: true)
            try fixture.settle()
            pauses.append((fixture.driver.now() - start) / 1_000_000)
            #expect(accepts(fixture).count == 1)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000])
        #expect(fixture.loop.metrics.acceptBackoffs == 10)
        try end(fixture)
    }

    @Test func startsAgainWithAShortPauseOnceAcceptingHasWorkedForAWhile() throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        for _ in 0..<3 {
            fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
            try fixture.settle()
            try fixture.advance(by: .seconds(1))
        }
        _ = try fixture.connect()
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
        try fixture.settle()
        try fixture.advance(by: .milliseconds(10))
        #expect(accepts(fixture).isEmpty, "one accept says little")
        try fixture.advance(by: .seconds(1))
        _ = try fixture.connect()
        try fixture.advance(by: .seconds(2))
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
        try fixture.settle()
        try fixture.advance(by: .milliseconds(10))
        #expect(accepts(fixture).count == 1)
        try end(fixture)
    }

    @Test func logsOnceAMinuteHoweverOftenAcceptingFails() throws {
        let counter = LineCounter()
        let fixture = try LoopFixture { $0.log = { _ in counter.add() } }
        try fixture.listen()
        let start = counter.count
        for _ in 0..<50 {
            fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
            try fixture.settle()
            try fixture.advance(by: .seconds(1))
            _ = try fixture.connect()
        }
        #expect(counter.count == start + 1)
        try fixture.advance(by: .seconds(60))
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
        try fixture.settle()
        #expect(counter.count == start + 2)
        try end(fixture)
    }

    @Test func goesOnAfterACloseFreedADescriptor() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
        try fixture.settle()
        #expect(accepts(fixture).isEmpty)
        handler.transport.abort()
        try fixture.settle()
        #expect(accepts(fixture).count == 1, "without waiting for the timer")
        #expect(fixture.loop.timers.count == 0)
        try end(fixture)
    }

    @Test func pausesOnceWhenFailuresFollowEachOther() throws {
        let fixture = try LoopFixture()
        try fixture.listen()
        let token = try #require(accepts(fixture).first?.token)
        for isTerminal in [false, false, true] {
            fixture.driver.fail(token, with: .tooManyFiles, isTerminal: isTerminal)
        }
        try fixture.settle()
        #expect(fixture.loop.metrics.acceptBackoffs == 1)
        #expect(fixture.loop.timers.count == 1)
        #expect(fixture.loop.pausedAcceptors.count == 1)
        try end(fixture)
    }

    @Test func closesWithItsAcceptArmed() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let listener = try fixture.listen()
        let descriptor = fixture.listenerDescriptor
        var closedCount = 0
        listener.close { closedCount += 1 }
        listener.close { closedCount += 1 }
        try fixture.settle()
        #expect(fixture.driver.openDescriptors == [descriptor])
        #expect(closedCount == 0)
        fixture.driver.fail(.accept, on: descriptor, with: .cancelled)
        let cancel = try #require(fixture.driver.lastOperation(of: .cancel))
        fixture.driver.complete(cancel.token, result: 0)
        try fixture.settle()
        #expect(fixture.driver.openDescriptors.isEmpty)
        #expect(closedCount == 2)
        listener.close { closedCount += 1 }
        try fixture.settle()
        #expect(closedCount == 3)
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }

    @Test func closesAConnectionThatWonAgainstTheCancel() throws {
        let fixture = try LoopFixture()
        let listener = try fixture.listen()
        listener.close()
        let peer = fixture.driver.acceptConnection(on: fixture.listenerDescriptor)
        try fixture.settle()
        #expect(fixture.handlers.isEmpty)
        #expect(!fixture.driver.openDescriptors.contains(peer))
        try fixture.expectBaseline()
    }

    @Test func closesWhileItPauses() throws {
        let fixture = try LoopFixture()
        let listener = try fixture.listen()
        fixture.driver.fail(.accept, on: fixture.listenerDescriptor, with: .tooManyFiles)
        try fixture.settle()
        listener.close()
        try fixture.settle()
        #expect(fixture.driver.openDescriptors.isEmpty)
        try fixture.expectBaseline()
    }

    @Test func letsConnectionsOutliveIt() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        fixture.listener?.close()
        try fixture.settle()
        fixture.driver.deliver([1], on: peer)
        try fixture.settle()
        #expect(handler.received == [1])
        try end(fixture)
    }

    @Test func stopsAtTheConnectionLimitAndGoesOnBelowIt() throws {
        let fixture = try LoopFixture { $0.limits.connectionsMax = 3 }
        try fixture.listen()
        // The burst is longer than the limit: what the kernel accepted already is served.
        for _ in 0..<5 { fixture.driver.acceptConnection(on: fixture.listenerDescriptor) }
        try fixture.settle()
        #expect(fixture.handlers.count == 5)
        #expect(fixture.driver.operations(of: .cancel).count == 1, "cancelled once")
        #expect(accepts(fixture).isEmpty)
        for (number, handler) in fixture.handlers.prefix(3).enumerated() {
            handler.transport.abort()
            try fixture.settle()
            #expect(accepts(fixture).count == (number == 2 ? 1 : 0))
        }
        try end(fixture)
    }
}

/// Counts log lines.
private final class LineCounter: Sendable {
    private let lines = Mutex(0)

    var count: Int { lines.withLock { $0 } }

    func add() {
        lines.withLock { $0 += 1 }
    }
}
