import Glibc
import Testing

@testable import UringCore

/// Signals as events of a loop: SIGUSR1 and SIGUSR2, which nothing else in this process uses.
@Suite("SignalWatch", .serialized)
struct SignalWatchTests {
    private func makeLoop(_ backend: BackendChoice = .auto) throws -> EventLoop {
        var options = LoopOptions()
        options.backend = backend
        options.ringEntries = 8
        options.completionEntries = 64
        options.bufferBytes = 64
        options.bufferCount = 16
        options.memoryLock = .off
        return try EventLoop(options)
    }

    /// Runs the loop until `condition` holds; a minute without it is a failure.
    private func run(
        _ loop: EventLoop,
        until condition: () -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var isLate = false
        let deadline = loop.callLater(.seconds(60)) { isLate = true }
        while !condition(), !isLate { try loop.runOnce(mayWait: true) }
        deadline.cancel()
        #expect(!isLate, sourceLocation: sourceLocation)
    }

    /// Sends a signal to this process.
    ///
    /// The threads that run tests block signals, so that another one takes it.
    private func send(_ signal: Int32) {
        kill(getpid(), signal)
    }

    /// The number of the action's function, its flags, and whether SIGALRM is in its mask.
    private func action(of signal: Int32) -> (handler: Int, flags: Int32, blocksAlarm: Bool) {
        var action = sigaction()
        sigaction(signal, nil, &action)
        let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        return (handler, action.sa_flags, sigismember(&action.sa_mask, SIGALRM) == 1)
    }

    @Test(arguments: [BackendChoice.auto, .epoll])
    func callsBackOnTheLoop(backend: BackendChoice) throws {
        let loop = try makeLoop(backend)
        defer { loop.shutDown() }
        var callCount = 0
        var wasOnLoop = false
        let watch = try SignalWatch(SIGUSR1, on: loop) {
            callCount += 1
            wasOnLoop = loop.isOnLoop
        }
        for expected in 1...3 {
            send(SIGUSR1)
            #expect(callCount == expected - 1, "the signal's handler itself calls nobody")
            try run(loop, until: { callCount == expected })
        }
        #expect(wasOnLoop)
        watch.cancel()
    }

    @Test func callsBackAtLeastOnceForSignalsThatCameTogether() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        var callCount = 0
        var otherCount = 0
        let watches = [
            try SignalWatch(SIGUSR1, on: loop) { callCount += 1 },
            try SignalWatch(SIGUSR2, on: loop) { otherCount += 1 },
        ]
        for _ in 0..<5 { send(SIGUSR1) }
        send(SIGUSR2)
        try run(loop, until: { callCount > 0 && otherCount > 0 })
        #expect(callCount <= 5)
        #expect(otherCount == 1)
        for watch in watches { watch.cancel() }
    }

    @Test func tellsSignalsApart() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        var calls: [Int32] = []
        let watches = try [SIGUSR1, SIGUSR2].map { signal in
            try SignalWatch(signal, on: loop) { calls.append(signal) }
        }
        send(SIGUSR2)
        try run(loop, until: { !calls.isEmpty })
        send(SIGUSR1)
        try run(loop, until: { calls.count > 1 })
        #expect(calls == [SIGUSR2, SIGUSR1])
        for watch in watches { watch.cancel() }
    }

    @Test func restoresThePreviousAction() throws {
        var previous = sigaction()
        previous.__sigaction_handler.sa_handler = { _ in }
        previous.sa_flags = SA_NODEFER
        sigaddset(&previous.sa_mask, SIGALRM)
        sigaction(SIGUSR2, &previous, nil)
        defer { signal(SIGUSR2, SIG_DFL) }
        let before = action(of: SIGUSR2)

        let loop = try makeLoop()
        defer { loop.shutDown() }
        let watch = try SignalWatch(SIGUSR2, on: loop) {}
        #expect(action(of: SIGUSR2) != before)
        watch.cancel()
        #expect(action(of: SIGUSR2) == before)
        watch.cancel()
        #expect(action(of: SIGUSR2) == before, "cancelling twice changes nothing")
    }

    @Test func leavesAnIgnoredSignalIgnoredAfterwards() throws {
        signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, SIG_DFL) }
        let before = action(of: SIGUSR2)
        let loop = try makeLoop()
        defer { loop.shutDown() }
        try SignalWatch(SIGUSR2, on: loop) {}.cancel()
        #expect(action(of: SIGUSR2) == before)
        send(SIGUSR2)  // Its default action would end this process.
    }

    @Test func callsEveryHandlerOnEveryLoop() throws {
        let (first, second) = (try makeLoop(), try makeLoop())
        defer { for loop in [first, second] { loop.shutDown() } }
        let before = action(of: SIGUSR1)
        var calls: [String] = []
        let watches = try ["a", "b"].map { name in
            try first.addSignalHandler(SIGUSR1) { calls.append(name) }
        }
        try second.addSignalHandler(SIGUSR1) { calls.append("c") }
        send(SIGUSR1)
        try run(first, until: { calls.count == 2 })
        try run(second, until: { calls.count == 3 })
        #expect(calls == ["a", "b", "c"])
        watches[0].cancel()
        send(SIGUSR1)
        try run(first, until: { calls.count == 4 })
        try run(second, until: { calls.count == 5 })
        #expect(calls.suffix(2) == ["b", "c"])
        watches[1].cancel()
        #expect(action(of: SIGUSR1) != before, "the second loop watches still")
        #expect(second.removeSignalHandlers(SIGUSR1))
        #expect(!second.removeSignalHandlers(SIGUSR1))
        #expect(action(of: SIGUSR1) == before)
    }

    @Test func mayBeRemovedInsideItsCall() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        let before = action(of: SIGUSR1)
        var (count, otherCount) = (0, 0)
        var watch: SignalWatch?
        watch = try loop.addSignalHandler(SIGUSR1) {
            count += 1
            loop.removeSignalHandlers(SIGUSR1)
            watch?.cancel()
        }
        try loop.addSignalHandler(SIGUSR1) { otherCount += 1 }
        send(SIGUSR1)
        try run(loop, until: { count == 1 && loop.metrics.descriptors == 0 })
        #expect(otherCount == 0, "it was removed by the first")
        #expect(action(of: SIGUSR1) == before)
    }

    @Test func endsWithItsLoop() throws {
        let before = action(of: SIGUSR2)
        let loop = try makeLoop()
        try loop.addSignalHandler(SIGUSR2) {}
        #expect(action(of: SIGUSR2) != before)
        #expect(loop.shutDown() == 0)
        #expect(action(of: SIGUSR2) == before)
        #expect(throws: IOError.self) { try loop.addSignalHandler(SIGUSR2) {} }
    }

    @Test func refusesTheRuntimesOwn() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        let own = try SignalEvents([SIGUSR1])
        let error = try #require(throws: IOError.self) {
            try loop.addSignalHandler(SIGUSR1) {}
        }
        #expect(error.operation == .watchSignal)
        #expect(error.errno == .busy)
        #expect("\(error)".contains("signal \(SIGUSR1)"))
        own.release()
        let watch = try loop.addSignalHandler(SIGUSR1) {}
        #expect(throws: IOError.self) { try SignalEvents([SIGUSR1]) }
        watch.cancel()
    }

    @Test(arguments: [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT])
    func refusesFaults(_ signal: Int32) throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        let before = action(of: signal)
        let error = try #require(throws: IOError.self) { try loop.addSignalHandler(signal) {} }
        #expect(error.errno == .invalid)
        #expect(action(of: signal) == before)
    }

    @Test func reportsWhatItsHandlerThrows() throws {
        struct Oops: Error {}
        let loop = try makeLoop()
        defer { loop.shutDown() }
        var origins: [CallbackFailure.Origin] = []
        loop.onCallbackError = { origins.append($0.origin) }
        try loop.addSignalHandler(SIGUSR1) { throw Oops() }
        for expected in 1...2 {
            send(SIGUSR1)
            try run(loop, until: { origins.count == expected })
        }
        #expect(origins == [.signal, .signal])
    }

    @Test(arguments: [SIGKILL, SIGSTOP, 0, -1, 65, Int32.max])
    func refusesWhatCannotBeCaught(_ signal: Int32) throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        for _ in 1...2 {  // The failure leaves nothing behind that would say EBUSY.
            let error = try #require(throws: IOError.self) { try SignalWatch(signal, on: loop) {} }
            #expect(error.errno == .invalid)
        }
    }

    @Test func leavesNoDescriptorBehind() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        let before = loop.metrics.descriptors
        for _ in 0..<10 {
            let watch = try SignalWatch(SIGUSR1, on: loop) {}
            watch.cancel()
            try run(loop, until: { loop.metrics.descriptors == before })
        }
        #expect(loop.metrics.operationsInFlight == 0)
    }
}
