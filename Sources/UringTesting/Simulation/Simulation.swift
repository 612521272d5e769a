public import UringCore
internal import UringEngine

/// A server and its clients on a kernel in memory, where every choice comes from one seed.
///
/// The loops, transports, handlers and the supervisor are the real ones; only the kernel, the
/// network, the clock and the threads are not. The same seed gives the same run, to the last
/// event.
///
/// > Thread: The one that made it. Nothing happens but inside its calls.
public final class Simulation {
    /// What every choice comes from.
    public let seed: UInt64
    /// Chance for the test's own choices, from the same seed.
    public var random: SimulationRandom
    let kernel: SimulatedKernel
    private let run: SteppedRun
    private let drivers: DriverBox
    private var stepCount = 0
    private var hasStarted = false
    private var hasEnded = false
    private var clients: [SimulatedClient] = []
    private let stepsMax: Int
    /// Steps that a server which was given up has for its end; most take some hundreds.
    private static let lastStepsMax = 20_000

    /// The driver of each shard, made by the shards themselves.
    private final class DriverBox: @unchecked Sendable {
        // Safety: a simulation never leaves the thread that made it.
        var drivers: [Int: SimulatedDriver] = [:]
    }

    init(seed: UInt64, shards: Int, options: SimulationOptions) throws {
        precondition((1...16).contains(shards), "a simulation has 1 to 16 shards")
        self.seed = seed
        self.random = SimulationRandom(seed: seed ^ 0x7E57)
        self.stepsMax = options.limits.stepsMax
        var draw = SimulationRandom(seed: seed ^ 0x5EED_5EED)
        var configuration = options.configuration
        var limits = options.limits
        var capabilities = Capabilities.everything
        if options.drawsKernel {
            draw.drawSizes(&configuration.loop, &limits)
            capabilities = draw.drawCapabilities()
        }
        configuration.loop.memoryLock = .off
        configuration.loop.spin = .zero
        let faults = options.faults ?? SimulationFaults(seed: seed)
        let kernel = SimulatedKernel(seed: seed, faults: faults, limits: limits)
        let box = DriverBox()
        let maker = LoopMaker(kernel: kernel, capabilities: capabilities)
        self.kernel = kernel
        self.drivers = box
        self.run = try SteppedRun(
            configuration: configuration,
            shardCount: shards,
            callAfter: { [unowned kernel] in kernel.after($0, .call($1)) },
            makeLoop: { (index, options) throws(IOError) in
                let (loop, driver) = try maker.make(index, options)
                box.drivers[index] = driver
                return loop
            }
        )
    }

    /// Ends what a failure left in the middle, and lets go of everything.
    func takeApart() {
        if hasStarted, !run.hasEnded { giveUp() }
        // The loops hold their drivers, and these the kernel, whose sockets hold each other.
        kernel.takeApart()
        drivers.drivers = [:]
    }

    /// Lets the server end after a failure: a task that waits for ever is never freed.
    ///
    /// What has a task that waits for nothing of the simulation's, or spins, is kept on purpose. So is all
    /// of it once a rule was broken: to go on might trap, and nobody would see the failure.
    private func giveUp() {
        for client in clients { client.close() }
        run.drain()
        run.cancelHandlers()
        var stepsLeft = Self.lastStepsMax
        while !run.hasEnded, kernel.failure == nil, stepsLeft > 0,
            kernel.asClock({ takeStep(.seconds(1 << 31)) })
        {
            stepsLeft -= 1
        }
        if !run.hasEnded { run.keep() }
    }

    // MARK: The server

    /// Starts the server: `handler` is called once on every shard, as by `Supervisor.run`.
    ///
    /// It returns at once; the server runs while the simulation does. One that does not listen yet
    /// refuses: see `connect(to:)`.
    ///
    /// Precondition: it is called once.
    public func serve(_ handler: @escaping @Sendable (Shard) async throws -> Void) {
        precondition(!hasStarted, "a simulation has one server")
        hasStarted = true
        run.start(handler)
    }

    /// Begins the server's drain, as `Supervisor.drain` does.
    public func drain() {
        run.drain()
    }

    /// Drains the server and waits for its end; then nothing may be left of it.
    ///
    /// `withSimulation` does it when its body has returned.
    ///
    /// - Returns: why the server ended otherwise than by the drain, or nil.
    /// - Throws: `SimulationFailure` when it does not end, or leaves something behind.
    public func end() throws -> SupervisorError? {
        guard !hasEnded else { return nil }
        hasEnded = true
        for client in clients { client.close() }
        guard hasStarted else { return nil }
        run.drain()
        try run(until: { run.hasEnded }, "the server ends")
        try checkBaseline()
        if case .failed(let error) = run.result { return error }
        return nil
    }

    // MARK: Time

    /// The time since the beginning, as the server's clock tells it.
    public var now: Duration {
        .nanoseconds(kernel.clock - SimulatedKernel.startNanoseconds)
    }

    /// Lets everything happen that happens within `duration`.
    ///
    /// - Throws: `SimulationFailure`.
    public func advance(by duration: Duration) throws {
        let end = kernel.clock &+ duration.clampedNanoseconds
        var isOver = false
        kernel.events.add(at: end, .call { isOver = true })
        try run(until: { isOver }, "the time passes")
    }

    /// Lets things happen until `condition` holds, looking at it after each.
    ///
    /// - Parameters:
    ///   - condition: what is waited for.
    ///   - what: the same in words, for the failure.
    /// - Throws: `SimulationFailure` when nothing more can happen, a rule of the kernel was broken, or
    ///   `SimulationLimits.stepsMax` steps were not enough.
    public func run(until condition: () -> Bool, _ what: String = "a condition holds") throws {
        while !condition() {
            guard try step() else {
                throw failure("nothing can happen any more, before \(what)")
            }
        }
    }

    // MARK: Clients

    /// Connects a client from outside, and waits until the connection stands.
    ///
    /// While nobody listens at `endpoint` yet, or the queue of a Unix listener is full, it tries again,
    /// for ten seconds of the simulation.
    ///
    /// - Throws: `IOError` that says why it was refused; `SimulationFailure`.
    public func connect(to endpoint: Endpoint) throws -> SimulatedClient {
        let address = try endpoint.resolve()
        let end = kernel.clock &+ 10_000_000_000
        while true {
            let client = beginConnect(to: address)
            try run(
                until: { client.isConnected || client.connectError != nil },
                "a client connects"
            )
            guard let error = client.connectError else { return client }
            let mayPass = [.connectionRefused, .notFound, .again].contains(error)
            guard mayPass, kernel.clock < end else {
                throw IOError(.connect, errno: error, detail: "\(address)")
            }
            clients.removeLast()
            try advance(by: .milliseconds(1))
        }
    }

    /// Begins to connect a client, and does not wait.
    public func beginConnect(to endpoint: Endpoint) throws -> SimulatedClient {
        beginConnect(to: try endpoint.resolve())
    }

    private func beginConnect(to address: SocketAddress) -> SimulatedClient {
        let client = SimulatedClient(number: clients.count, simulation: self, address: address)
        clients.append(client)
        return client
    }

    // MARK: What happened

    /// A hash of everything that happened so far: equal runs have equal ones.
    public var traceHash: UInt64 { kernel.trace.hash }

    /// How many events happened so far.
    public var traceCount: Int { kernel.trace.count }

    /// The last things that happened, oldest first, a line each; at most `SimulationLimits.traceMax`.
    public func trace(last countMax: Int = .max) -> [String] {
        kernel.trace.lines(last: countMax)
    }

    func failure(_ reason: String) -> SimulationFailure {
        SimulationFailure(
            seed: seed,
            reason: reason,
            trace: trace(),
            traceHash: traceHash
        )
    }

    // MARK: Steps

    /// Lets the next thing happen: a turn of a shard, something in the network, or time.
    ///
    /// - Parameter leap: how far the clock may move in it, when nothing else can happen.
    /// - Returns: false when nothing ever will by itself.
    /// - Throws: `SimulationFailure` when a rule of the kernel was broken, or this is one step too many.
    @discardableResult
    public func step(leap: Duration = .seconds(1 << 31)) throws -> Bool {
        stepCount += 1
        guard stepCount <= stepsMax else { throw failure("it does not end in \(stepsMax) steps") }
        let hasHappened = kernel.asClock { takeStep(leap) }
        if let broken = kernel.failure { throw failure(broken) }
        return hasHappened
    }

    /// The seed chooses among what can happen now.
    private func takeStep(_ leap: Duration) -> Bool {
        var choices: [Int] = []
        if kernel.isBusy { choices.append(-1) }
        if run.hasJob { choices.append(-2) }
        let shards = run.shards
        for position in shards.indices where isAwake(shards[position]) { choices.append(position) }
        guard !choices.isEmpty else { return idle(shards, leap) }
        switch kernel.random.pick(choices) {
        case -1: kernel.step()
        case -2: run.runJob()
        case let position: step(shards[position])
        }
        return true
    }

    private func isAwake(_ shard: SteppedShard) -> Bool {
        guard !shard.hasEnded else { return false }
        guard shard.isWaiting, let driver = drivers.drivers[shard.index] else { return true }
        return driver.wait.map { driver.hasReason(toEnd: $0) } ?? true
    }

    private func step(_ shard: SteppedShard) {
        let driver = drivers.drivers[shard.index]
        kernel.trace.add(.tick, shard: shard.index, clock: kernel.clock, (0, 0, 0))
        if shard.isWaiting { driver?.endWait() }
        shard.step(willEnd: { driver?.isStepped = false })
    }

    /// Everybody waits: time passes, or somebody wakes for nothing.
    private func idle(_ shards: [SteppedShard], _ leap: Duration) -> Bool {
        let waiting = shards.filter { !$0.hasEnded }
        if !waiting.isEmpty, kernel.random.happens(kernel.faults.spuriousWakeups) {
            let shard = kernel.random.pick(waiting)
            kernel.trace.add(.spuriousWake, shard: shard.index, clock: kernel.clock, (0, 0, 0))
            step(shard)
            return true
        }
        let deadlines = waiting.compactMap { drivers.drivers[$0.index]?.wait?.instant }
        return kernel.moveClock(before: deadlines.min(), by: leap.clampedNanoseconds)
    }

    // MARK: The end

    private func checkBaseline() throws {
        let open = kernel.openDescriptors
        if !open.isEmpty {
            throw failure("the server left descriptors open: \(open.map(\.rawValue))")
        }
        if kernel.files.count > 0 { throw failure("the server left the file of a Unix socket") }
        for shard in run.shards {
            guard let metrics = shard.lastMetrics else { continue }
            let left = [
                ("operations in flight", metrics.operationsInFlight),
                ("pool buffers lent", metrics.buffersLent),
                ("connections open", metrics.openConnections),
                ("descriptors in its table", metrics.descriptors),
                ("stale completions", Int(metrics.staleCompletions)),
            ].filter { $0.1 != 0 }
            guard left.isEmpty else {
                let words = left.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
                throw failure("shard \(shard.index) ended with \(words)")
            }
        }
    }
}
