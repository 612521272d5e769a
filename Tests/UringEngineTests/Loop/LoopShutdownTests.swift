import Testing
import UringTesting

@testable import UringEngine

@Suite struct LoopShutdownTests {
    @Test func endsEverythingWithReset() throws {
        let fixture = try LoopFixture()
        let first = try fixture.connect()
        let second = try fixture.connect()
        first.handler.transport.write([1])
        second.handler.transport.write([2])
        second.handler.transport.close()
        #expect(fixture.loop.shutDown() == 0)
        #expect(first.handler.log == ["made", "lost"])
        #expect(second.handler.log == ["made", "lost"])
        #expect(fixture.driver.descriptor(first.peer)?.options == [.resetOnClose])
        #expect(fixture.driver.openDescriptors.isEmpty)
        #expect(fixture.driver.violations.isEmpty)
        #expect(fixture.loop.isDrained)
        #expect(fixture.loop.shutDown() == 0, "once")
        #expect(throws: IOError.self) { try fixture.loop.runOnce() }
        let error = #expect(throws: IOError.self) { try fixture.listen() }
        #expect(error?.reason == .closed)
    }

    @Test func runsWhatWasPostedBefore() throws {
        let fixture = try LoopFixture()
        nonisolated(unsafe) var log: [Int] = []
        let loop = fixture.loop
        let isTaken = loop.callSoonThreadsafe {
            log.append(1)
            loop.callSoon { log.append(2) }
        }
        #expect(isTaken)
        #expect(loop.shutDown() == 0)
        #expect(log == [1, 2])
        let isRefused = !loop.callSoonThreadsafe { log.append(3) }
        #expect(isRefused)
        #expect(log == [1, 2])
        #expect(fixture.driver.now() == 1_000_000_000, "it did not wait for the grace")
    }

    @Test func endsWhatACallbackOpensMeanwhile() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        handler.onLost = { [unowned fixture] _ in
            _ = try? fixture.loop.listen(on: scriptedLoopback) { RecordingHandler() }
        }
        #expect(fixture.loop.shutDown() == 0)
        #expect(fixture.driver.openDescriptors.isEmpty)
        #expect(fixture.driver.now() == 1_000_000_000)
    }

    @Test func doesNotSpinWhenACallbackStopsTheLoop() throws {
        let driver = ScriptedDriver(answersCancels: false)
        let fixture = try LoopFixture(driver)
        let (peer, _) = try fixture.connect()
        fixture.loop.callSoon { [unowned fixture] in fixture.loop.stop() }
        driver.onIdle = { [listener = fixture.listenerDescriptor] driver in
            driver.answersCancels = true
            driver.fail(.receive, on: peer, with: .cancelled)
            driver.fail(.accept, on: listener, with: .cancelled)
            for cancel in driver.operations(of: .cancel) where cancel.isInFlight {
                driver.complete(cancel.token, result: 0)
            }
        }
        #expect(fixture.loop.shutDown() == 0)
        #expect(driver.openDescriptors.isEmpty)
        #expect(fixture.loop.metrics.ticks < 20)
    }

    /// Nothing here refers weakly to what is kept: the runtime's record of such a reference lies where a
    /// search for leaks does not find it.
    @Test func keepsWhatTheKernelDoesNotGiveBack() throws {
        let isLoopFreed = Flag()
        try {
            let driver = ScriptedDriver(answersCancels: false)
            let fixture = try LoopFixture(driver)
            let (peer, handler) = try fixture.connect()
            let left = fixture.loop.shutDown(grace: .seconds(1))
            #expect(left == 4, "accept and receive, and the cancel of each")
            #expect(driver.openDescriptors.contains(peer), "nothing is closed in flight")
            #expect(driver.violations.isEmpty)
            let (loop, transport) = (fixture.loop, handler.transport)
            var owners: [DescriptorOwner?] = []
            loop.descriptors.visitAll { owners.append(loop.descriptors[$0].owner) }
            #expect(owners.contains { $0 === transport }, "the kernel may read what it sends")
            let sign = DeathSign(isLoopFreed)
            loop.onCallbackError = { _ in withExtendedLifetime(sign) {} }
        }()
        #expect(!isLoopFreed.isSet, "the kernel may write into its pool")
    }

    private final class Flag {
        var isSet = false
    }

    /// Says that whatever held it is gone.
    private final class DeathSign {
        private let flag: Flag

        init(_ flag: Flag) {
            self.flag = flag
        }

        deinit {
            flag.isSet = true
        }
    }

    @Test func endsWhatTheDriverEndedForIt() throws {
        weak var loop: EventLoop?
        weak var pool: BufferPool?
        try {
            let fixture = try LoopFixture()
            loop = fixture.loop
            pool = fixture.loop.pool
            let (peer, handler) = try fixture.connect()
            handler.transport.write([1, 2, 3])
            try fixture.settle()
            let foreign = fixture.driver.makeConnection()
            var isWatchOver = false
            fixture.loop.watch(foreign) {}.cancel { isWatchOver = true }
            fixture.driver.failNext(.wait, with: .badDescriptor)
            #expect(!fixture.driver.inFlight(of: .send, on: peer).isEmpty)
            #expect(fixture.loop.shutDown() == 0)
            #expect(fixture.driver.openDescriptors == [foreign])
            #expect(fixture.driver.violations.isEmpty)
            #expect(handler.log == ["made", "lost"], "whoever owned a descriptor is told")
            #expect(isWatchOver)
            #expect(fixture.loop.descriptors.count == 0)
            #expect(fixture.loop.operations.inFlightCount == 0)
            #expect(fixture.loop.scratch.lentCount == 0)
        }()
        #expect(loop == nil)
        #expect(pool == nil)
    }

    @Test func givesThePoolToItsLastHolder() throws {
        weak var pool: BufferPool?
        var kept: BytesBox?
        try {
            let fixture = try LoopFixture()
            pool = fixture.loop.pool
            fixture.prepare = { $0.onData = { bytes, _ in kept = BytesBox(bytes) } }
            let (peer, _) = try fixture.connect()
            fixture.driver.deliver([1, 2], on: peer)
            try fixture.settle()
            #expect(fixture.loop.shutDown() == 0)
        }()
        #expect(pool != nil)
        #expect(kept?.take()?.copyToArray() == [1, 2])
        #expect(pool == nil)
    }

    @Test func drainsConnectionsAndListeners() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1])
        fixture.loop.drain()
        try fixture.settle()
        #expect(fixture.driver.openDescriptors == [peer])
        #expect(handler.log == ["made"], "what is under way is finished")
        fixture.driver.completeSend(on: peer)
        try fixture.settle()
        try fixture.endPeer(peer)
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.loop.isDrained)
        try fixture.expectBaseline()
    }

    @Test func tellsHandlersEvenWithoutAnyGrace() throws {
        let fixture = try LoopFixture()
        let (_, handler) = try fixture.connect()
        _ = fixture.loop.shutDown(grace: .zero)
        if fixture.loop.descriptors.count == 0 { #expect(handler.log == ["made", "lost"]) }
        #expect(fixture.loop.ready.isEmpty == true, "nothing that keeps the loop alive is left")
    }

    @Test func keepsNothingThatIsAskedForAfterTheEnd() throws {
        final class Token {}
        let fixture = try LoopFixture()
        let loop = fixture.loop
        #expect(loop.shutDown() == 0)
        weak var job: Token?
        weak var timer: Token?
        do {
            let (first, second) = (Token(), Token())
            (job, timer) = (first, second)
            loop.callSoon { _ = first }
            loop.callLater(.seconds(1)) { _ = second }
            #expect(loop.callSoonWithHandle { _ = first }.isDone)
        }
        #expect(job == nil)
        #expect(timer == nil)
        var answer: Result<StreamTransport, any Error>?
        loop.connect(
            to: [scriptedLoopback],
            makeHandler: { RecordingHandler() },
            completion: { answer = $0 }
        )
        #expect(throws: IOError(.connect, reason: .closed)) { try answer?.get() }
        #expect(throws: IOError(.watchSignal, reason: .closed)) {
            _ = try SignalWatch(10, on: loop) {}
        }
    }
}
