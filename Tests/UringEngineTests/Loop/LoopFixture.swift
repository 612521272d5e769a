import Testing
import UringTesting

@testable import UringEngine

/// A loop on a scripted kernel, with a listener and recording handlers when a test wants them.
///
/// Each tick checks every table. `expectBaseline` ends a test: nothing leaked, and no rule of the
/// seam was broken.
final class LoopFixture {
    let driver: ScriptedDriver
    let loop: EventLoop
    var failures: [CallbackFailure] = []
    var handlers: [RecordingHandler] = []
    /// Prepares each new handler before its connection is made.
    var prepare: (RecordingHandler) -> Void = { _ in }
    private(set) var listener: StreamListener?
    private(set) var listenerDescriptor = Descriptor(rawValue: -1)

    init(
        _ driver: ScriptedDriver = ScriptedDriver(),
        configure: (inout LoopOptions) -> Void = { _ in }
    ) throws {
        driver.trapsOnViolation = false
        self.driver = driver
        var options = LoopOptions()
        options.bufferBytes = 64
        options.bufferCount = 256
        options.memoryLock = .off
        options.limits.completionsPerTickMax = 256
        configure(&options)
        loop = try EventLoop(driver: .custom(driver), options: options)
        loop.onCallbackError = { [unowned self] in failures.append($0) }
    }

    /// The most pinned bytes that one connection parks: sixteen buffers unless told otherwise.
    var inputCap: Int { loop.inputCapBytes }

    // MARK: Time

    func tick(_ count: Int = 1) throws {
        for _ in 0..<count {
            try loop.runOnce()
            checkInvariants()
        }
    }

    /// Ticks until nothing is left to do without the kernel or the clock.
    func settle(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        try tick()
        for _ in 0..<200 {
            guard hasWork else { return }
            try tick()
        }
        Issue.record("the loop spins", sourceLocation: sourceLocation)
    }

    func advance(by duration: Duration) throws {
        driver.advance(by: duration)
        try settle()
    }

    private var hasWork: Bool {
        driver.hasUnreadCompletions || !loop.ready.isEmpty || !loop.dirty.isEmpty
            || driver.inFlight.contains { $0.state == .prepared }
    }

    private func checkInvariants() {
        loop.operations.checkInvariants()
        loop.descriptors.checkInvariants()
        loop.pool.checkInvariants()
        loop.scheduler.checkInvariants()
        loop.timers.checkInvariants()
        var inFlight = 0
        loop.descriptors.visitAll({ inFlight += Int(loop.descriptors[$0].inFlightCount) })
        #expect(inFlight == loop.operations.inFlightCount)
        #expect(driver.violations.isEmpty)
    }

    // MARK: Connections

    /// Opens the listener that `connect` uses.
    @discardableResult
    func listen(
        _ options: ListenerOptions = ListenerOptions(),
        on address: SocketAddress = scriptedLoopback
    ) throws -> StreamListener {
        let listener = try loop.listen(on: address, options: options) { [unowned self] in
            let handler = RecordingHandler()
            prepare(handler)
            handlers.append(handler)
            return handler
        }
        self.listener = listener
        listenerDescriptor = try #require(driver.openDescriptors.last)
        try settle()
        return listener
    }

    /// Lets a peer connect, with the receive armed and in the kernel afterwards.
    func connect(
        _ options: ListenerOptions = ListenerOptions()
    ) throws -> (
        peer: Descriptor, handler: RecordingHandler
    ) {
        if listener == nil { try listen(options) }
        let peer = driver.acceptConnection(on: listenerDescriptor)
        try settle()
        return (peer, try #require(handlers.last))
    }

    /// The peer ends its side, wherever the stream listens for that.
    func endPeer(_ peer: Descriptor) throws {
        if let discard = driver.inFlight(of: .discard, on: peer).first {
            driver.complete(discard.token, result: 0)
        } else {
            driver.endStream(on: peer)
        }
        try settle()
    }

    // MARK: The end

    /// Closes the listener, then expects that nothing is left.
    func expectBaseline(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        if let listener, listener.slot != .none { listener.close() }
        try settle(sourceLocation)
        #expect(driver.openDescriptors.isEmpty, sourceLocation: sourceLocation)
        #expect(loop.descriptors.count == 0, sourceLocation: sourceLocation)
        #expect(loop.operations.inFlightCount == 0, sourceLocation: sourceLocation)
        #expect(loop.scratch.lentCount == 0, sourceLocation: sourceLocation)
        #expect(loop.openConnections == 0, sourceLocation: sourceLocation)
        #expect(loop.timers.count == 0, "no timer is left", sourceLocation: sourceLocation)
        #expect(loop.starved.isEmpty, sourceLocation: sourceLocation)
        #expect(loop.pausedAcceptors.isEmpty, sourceLocation: sourceLocation)
        handlers = []
        loop.pool.collectReturns()
        #expect(loop.pool.lentCount == 0, "no buffer is lent", sourceLocation: sourceLocation)
        let provided = loop.pool.kernelOwnedCount - loop.quarantine.count
        #expect(
            provided == driver.ownedBuffers.count,
            "no buffer is lost",
            sourceLocation: sourceLocation
        )
        #expect(driver.inFlight.isEmpty, sourceLocation: sourceLocation)
        #expect(driver.violations.isEmpty, sourceLocation: sourceLocation)
        #expect(driver.entersWithUnreadCompletions == 0, sourceLocation: sourceLocation)
        #expect(loop.shutDown() == 0, sourceLocation: sourceLocation)
    }
}
