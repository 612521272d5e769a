import Testing
import UringTesting

@testable import UringEngine

/// A loop that ended before its time takes no more work.
struct LoopGone: Error {}

/// An event loop on a thread of its own, with what a test needs to work with it from outside.
///
/// `withLoop` makes one, and checks in the end that nothing is left.
final class LoopThread: @unchecked Sendable {
    /// Used on its own thread only, through `run`.
    let loop: EventLoop
    let notes: Notes
    private let thread: WorkThread<Int>
    private let peers = LockedList<PeerSocket>()
    private let listeners = LockedList<StreamListener>()
    /// What callbacks threw may be expected; otherwise it fails the test.
    var expectsFailures = false
    /// Buffers that the test itself holds in the end.
    var expectedLentBuffers = 0

    /// Lines and failures that came on the loop's thread.
    final class Notes: Sendable {
        let lines = LockedList<String>()
        let failures = LockedList<String>()
    }

    /// Starts a loop; with `faults` it stands on a driver that fails as they say.
    init(
        _ rung: Rung,
        faults: FaultPlan? = nil,
        options: LoopOptions = LoopOptions(),
        _ configure: (inout LoopOptions) -> Void
    ) throws {
        let notes = Notes()
        self.notes = notes
        var options = options
        options.memoryLock = .off
        options.backend = rung.backend
        options.featuresOff = rung.featuresOff
        options.zeroCopyThreshold = rung.zeroCopyThreshold
        options.linksConnectTimeouts = rung.linksConnectTimeouts
        options.log = { line in notes.lines.append(line) }
        configure(&options)
        let made = Drop<Result<EventLoop, any Error>>()
        let handed = Handed(value: options)
        thread = WorkThread {
            let loop: EventLoop
            do {
                loop = try Self.makeLoop(handed.value, faults)
            } catch {
                made.put(.failure(error))
                throw error
            }
            loop.onCallbackError = { failure in
                notes.failures.append("\(failure.origin): \(failure.error)")
            }
            made.put(.success(loop))
            do {
                try loop.runForever()
            } catch {
                _ = loop.shutDown()
                throw error
            }
            return loop.shutDown()
        }
        loop = try made.take("a loop that is set up").get()
    }

    private static func makeLoop(
        _ options: LoopOptions,
        _ faults: FaultPlan?
    ) throws -> EventLoop {
        guard let faults else { return try EventLoop(options) }
        let driver = try FaultDriver(UringDriver(options: options.uringDriver), faults)
        return try EventLoop(driver: .custom(driver), options: options)
    }

    // MARK: Work on the loop

    /// Runs `body` on the loop and waits for what it gives.
    @discardableResult
    func run<Value>(_ body: @escaping (EventLoop) throws -> Value) throws -> Value {
        let result = Drop<Result<Value, any Error>>()
        let handed = Handed(value: body)
        let isTaken = loop.callSoonThreadsafe { [loop] in
            result.put(Result { try handed.value(loop) })
        }
        guard isTaken else { throw LoopGone() }
        return try result.take("a job on the loop").get()
    }

    /// Waits until `condition` holds; the loop looks once a millisecond.
    func eventually(_ what: String, _ condition: @escaping (EventLoop) -> Bool) throws {
        let gate = Gate()
        let isGivenUp = Counter()
        let handed = Handed(value: condition)
        let isTaken = loop.callSoonThreadsafe { [loop] in
            func look() {
                if handed.value(loop) { return gate.open() }
                if isGivenUp.value == 0 { loop.callLater(.milliseconds(1)) { look() } }
            }
            look()
        }
        guard isTaken else { throw LoopGone() }
        do {
            try gate.wait(what)
        } catch {
            isGivenUp.add()
            throw error
        }
    }

    // MARK: Sockets

    /// Listens on a free port of 127.0.0.1 unless told otherwise.
    func listen(
        on address: SocketAddress = .ipv4(0x7F00_0001, port: 0),
        _ configure: (inout ListenerOptions) -> Void = { _ in },
        makeHandler: @escaping () throws -> TestHandler
    ) throws -> Listening {
        var options = ListenerOptions()
        configure(&options)
        let handlers = HandlerList()
        let chosen = options
        let listener = try run { loop in
            try loop.listen(on: address, options: chosen) {
                let handler = try makeHandler()
                handlers.add(handler)
                return handler
            }
        }
        listeners.append(listener)
        return Listening(server: self, listener: listener, handlers: handlers)
    }

    /// Closes a peer's socket in the end.
    func keep<Socket: PeerSocket>(_ peer: Socket) -> Socket {
        peers.append(peer)
        return peer
    }

    func closePeers() {
        for peer in peers.all { peer.close() }
    }

    // MARK: The end

    /// Ends everything and expects the state from before the loop was made.
    func finish(_ location: SourceLocation) throws {
        try letGo()
        let (metrics, isSound) = try run { ($0.metrics, $0.checkInvariants()) }
        #expect(isSound)
        #expect(metrics.operationsInFlight == 0, sourceLocation: location)
        #expect(metrics.staleCompletions == 0, sourceLocation: location)
        #expect(metrics.buffersLent == expectedLentBuffers, sourceLocation: location)
        if !expectsFailures {
            #expect(notes.failures.all == [], sourceLocation: location)
        }
        #expect(try stop() == 0, "no operation outlives the loop", sourceLocation: location)
    }

    /// Closes peers and listeners, and waits until the loop has nothing left.
    func letGo() throws {
        closePeers()
        let listeners = listeners.all
        try run { _ in
            for listener in listeners { listener.close() }
        }
        try eventually("every descriptor is closed") { $0.isDrained && $0.openConnections == 0 }
        // Once more, so that the last calls of handlers have been made.
        try run { _ in }
    }

    /// Stops the loop, shuts it down, and joins its thread.
    ///
    /// - Returns: how many operations did not end.
    func stop() throws -> Int {
        loop.callSoonThreadsafe { [loop] in loop.stop() }
        return try thread.join()
    }

    /// After a failure: nothing is checked any more.
    func abandon() {
        closePeers()
        _ = try? stop()
    }
}

/// Runs `body` with a loop, then expects that nothing of it is left.
func withLoop(
    _ rung: Rung = .everything,
    _ configure: (inout LoopOptions) -> Void = { _ in },
    location: SourceLocation = #_sourceLocation,
    _ body: (LoopThread) throws -> Void
) throws {
    let descriptorsBefore = openDescriptorCount()
    weak var loop: EventLoop?
    var keptDescriptors = 0
    try run(rung, configure, location) { server in
        try body(server)
        loop = server.loop
        // The waker's eventfd closes with its last handle: the loop's, or that of a pool with
        // lent buffers.
        keptDescriptors = server.expectedLentBuffers > 0 ? 1 : 0
    }
    #expect(loop == nil, "nothing holds the loop any more", sourceLocation: location)
    #expect(
        openDescriptorCount() == descriptorsBefore + keptDescriptors,
        sourceLocation: location
    )
}

private func run(
    _ rung: Rung,
    _ configure: (inout LoopOptions) -> Void,
    _ location: SourceLocation,
    _ body: (LoopThread) throws -> Void
) throws {
    let server = try LoopThread(rung, configure)
    do {
        try body(server)
    } catch {
        server.abandon()
        throw error
    }
    try server.finish(location)
}

/// Lets time pass, on another loop's clock: for tests of what must not happen meanwhile.
func passTime(_ duration: Duration) throws {
    let clock = try LoopThread(.everything) { _ in }
    let passed = Gate()
    try clock.run { loop in
        loop.callLater(duration) { passed.open() }
    }
    try passed.wait("the passing of \(duration)")
    #expect(try clock.stop() == 0)
}
