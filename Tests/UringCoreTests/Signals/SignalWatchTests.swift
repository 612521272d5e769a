import Glibc
import Testing

@testable import UringCore

/// Signals as events of a loop: SIGUSR1 and SIGUSR2, which nothing else in this process uses.
@Suite("SignalWatch", .serialized)
struct SignalWatchTests {
    private func makeLoop() throws -> EventLoop {
        var options = LoopOptions()
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

    @Test func callsBackOnTheLoop() throws {
        let loop = try makeLoop()
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

    @Test func refusesASecondWatchOfOneSignal() throws {
        let loop = try makeLoop()
        defer { loop.shutDown() }
        var callCount = 0
        let first = try SignalWatch(SIGUSR1, on: loop) { callCount += 1 }
        let error = try #require(throws: IOError.self) { try SignalWatch(SIGUSR1, on: loop) {} }
        #expect(error.operation == .watchSignal)
        #expect(error.errno == .busy)
        #expect("\(error)".contains("signal \(SIGUSR1)"))
        send(SIGUSR1)
        try run(loop, until: { callCount == 1 })
        first.cancel()
        try SignalWatch(SIGUSR1, on: loop) {}.cancel()
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
