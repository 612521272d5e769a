import UringCore
import UringTesting

/// One seed: a random server, random clients, and what must be so whatever happens.
struct Exercise {
    private struct ShardFailure: Error {}

    /// What a run was like.
    struct Outcome: Hashable {
        let traceHash: UInt64
        let traceCount: Int
    }

    let seed: UInt64

    /// Runs it to the end.
    ///
    /// - Throws: `SimulationFailure`.
    @discardableResult
    func run() throws -> Outcome {
        let plan = ExercisePlan(seed: seed)
        return try withSimulation(seed: seed, shards: plan.shards, options: plan.options) {
            let ledger = Ledger()
            try play(plan, $0, ledger)
            return Outcome(traceHash: $0.traceHash, traceCount: $0.traceCount)
        }
    }

    private func play(_ plan: ExercisePlan, _ simulation: Simulation, _ ledger: Ledger) throws {
        serve(plan, simulation, ledger)
        let clients = try start(plan, simulation)
        var (steps, urged) = (0, simulation.now)
        var isDraining = false
        while !clients.allSatisfy(\.isOver) {
            if let problem = ledger.problems.first { throw ExerciseFailure(problem) }
            if !isDraining, let drainStep = plan.drainStep, steps >= drainStep {
                isDraining = true
                simulation.drain()
            }
            // Else an idle network makes the clock leap, and every client slow beyond all limits.
            let hasHappened = try simulation.step(leap: .milliseconds(200))
            let isUrged = !hasHappened || simulation.now - urged >= .milliseconds(100)
            if isUrged { urged = simulation.now }
            var hasActed = false
            if isUrged || simulation.random.below(3) == 0 {
                let first = simulation.random.below(clients.count)
                for place in clients.indices where isUrged || !hasActed {
                    let client = clients[(first + place) % clients.count]
                    let acts = try client.act(
                        &simulation.random,
                        ledger,
                        plan,
                        isUrged: isUrged
                    )
                    hasActed = hasActed || acts
                }
            }
            if !hasHappened, !hasActed {
                throw ExerciseFailure("nothing can happen any more: \(clients.map(\.story))")
            }
            steps += 1
        }
        // No drain is needed for that: the handlers see that their clients are gone.
        while !plan.mayBeCut {
            try simulation.advance(by: .seconds(1))
            if ledger.openHandlers == 0 { break }
        }
        let error = try simulation.end()
        if let error, !plan.mayBeCut { throw ExerciseFailure("the server failed: \(error)") }
        if let problem = ledger.problems.first { throw ExerciseFailure(problem) }
        for client in clients { try client.checkServer(ledger, plan) }
        if ledger.openHandlers != 0 {
            throw ExerciseFailure("\(ledger.openHandlers) handlers were not told of the end")
        }
    }

    /// Clients connect once somebody listens.
    private func start(
        _ plan: ExercisePlan,
        _ simulation: Simulation
    ) throws -> [ExerciseClient] {
        do {
            try simulation.connect(to: plan.endpoint).close()
        } catch let error as IOError {
            // The network may be bad, and the handler may have thrown before it served.
            guard plan.hasBadNetwork || plan.restarts else { throw error }
        }
        return try plan.clients.map { client in
            try ExerciseClient(client) { try simulation.beginConnect(to: plan.endpoint) }
        }
    }

    // MARK: The server

    private func serve(_ plan: ExercisePlan, _ simulation: Simulation, _ ledger: Ledger) {
        let shared = SharedRandom(SimulationRandom(seed: seed ^ 0xACE))
        let server = AsyncServer(ledger: ledger, shared: shared)
        let (face, endpoint, placement) = (plan.face, plan.endpoint, plan.placement)
        let (restarts, connectors) = (plan.restarts, plan.connectors)
        simulation.serve { shard in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    switch face {
                    case .async:
                        let listener = try shard.listen(endpoint, placement: placement)
                        if restarts { try await server.serveForAWhile(listener) }
                        try await listener.serve { try await server.handle($0) }
                    case .callback:
                        let listener = try shard.listen(endpoint, placement: placement)
                        try await listener.serve {
                            CallbackServer(shard: shard, ledger: ledger, shared: shared)
                        }
                    case .loop: try await Self.listen(on: shard, endpoint, ledger, shared)
                    }
                }
                for _ in 0..<connectors {
                    group.addTask {
                        await Connector(shard: shard, ledger: ledger, shared: shared).run(endpoint)
                    }
                }
                if restarts, shared.between(0, 2) == 0 {
                    group.addTask {
                        try await shard.sleep(for: .microseconds(shared.between(0, 3_000)))
                        throw ShardFailure()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Without the registry: each loop has a listener of its own, a Unix socket the first one's.
    private static func listen(
        on shard: Shard,
        _ endpoint: Endpoint,
        _ ledger: Ledger,
        _ shared: SharedRandom
    ) async throws {
        let address = try endpoint.resolve()
        var options = ListenerOptions()
        options.sharesPort = address.port != nil
        if options.sharesPort || shard.index == 0 {
            try shard.loop.listen(on: address, options: options) {
                CallbackServer(shard: shard, ledger: ledger, shared: shared)
            }
        }
        try await shard.untilDrain()
    }
}
