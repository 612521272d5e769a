import Testing

@testable import UringCore

/// One address for all shards of a server, and for nobody else.
@Suite("Listener", .serialized)
struct ListenerTests {
    /// Serves echo on every shard that `chosen` names; the others wait for the drain.
    private func server(
        _ shardCount: Int,
        _ addresses: Addresses,
        _ placement: ListenerPlacement = .perShard,
        on chosen: Set<Int>? = nil,
        port: UInt16 = 0
    ) -> SupervisedRun {
        SupervisedRun(makeSupervisor(shardCount)) { shard in
            guard chosen?.contains(shard.index) ?? true else { return try await shard.untilDrain() }
            let listener = try shard.listen(port: port, placement: placement)
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
    }

    private func exchange(_ count: Int, with address: SocketAddress) async throws {
        try await onThread {
            for _ in 0..<count { try BlockingClient(to: address).exchange([1, 2, 3]) }
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func takesOneFreePortForAllShards(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let run = server(4, addresses, placement)
            let address = try await addresses.last(after: 4)
            #expect(addresses.distinct.count == 1)
            #expect(address.port != 0)
            let sockets = placement == .perShard ? 4 : 1
            try await eventually("all listen") { countListening(on: address) == sockets }
            try await exchange(40, with: address)
            try await run.drain()
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func isRefusedToASecondServer(_ placement: ListenerPlacement) async throws {
        let addresses = Addresses()
        let first = server(2, addresses, placement)
        let address = try await addresses.last(after: 2)
        let port = try #require(address.port)
        try await leavingNothing {
            let outcome = try await server(2, Addresses(), placement, port: port).outcome()
            guard case .handlerFailed(_, let cause as IOError) = outcome else {
                throw UnexpectedOutcome(outcome)
            }
            #expect(cause.errno == .addressInUse)
            #expect("\(cause)".hasSuffix("\(address)"))
        }
        try await exchange(10, with: address)
        try await first.drain()
    }

    /// Bound sockets that do not listen yet keep nobody away: one of two must lose all the same.
    @Test func isOnlyOnesWhenTwoServersBeginAtTheSameMoment() async throws {
        try await leavingNothing {
            for _ in 0..<60 {
                let port = try freePort()
                let addresses = Addresses()
                let servers = (0..<2).map { _ in server(2, addresses, port: port) }
                let ends = SharedList<String>()
                let ending = servers.map { server in
                    Task { ends.append(try await server.outcome().map { "\($0)" } ?? "well") }
                }
                try await eventually("one has lost, or both listen") {
                    !ends.all.isEmpty || addresses.count == 4
                }
                for server in servers { server.supervisor.drain() }
                for end in ending { try await end.value }
                #expect(ends.all.count { $0 == "well" } == 1, "\(ends.all)")
                #expect(ends.all.first?.contains("EADDRINUSE (98): 127.0.0.1:\(port)") == true)
            }
        }
    }

    @Test func isFreeAgainRightAfterTheRun() async throws {
        let addresses = Addresses()
        let first = server(3, addresses)
        let address = try await addresses.last(after: 3)
        try await exchange(10, with: address)
        try await first.drain()
        #expect(countListening(on: address) == 0)
        let second = server(3, addresses, port: try #require(address.port))
        #expect(try await addresses.last(after: 3) == address)
        try await exchange(10, with: address)
        try await second.drain()
    }

    /// The others' sockets are bound and do not listen: no client may end up there.
    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func canBeOneShardsAlone(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let run = server(4, addresses, placement, on: [2])
            let address = try await addresses.last(after: 1)
            try await exchange(50, with: address)
            #expect(countListening(on: address) == 1)
            let snapshots = await run.supervisor.snapshot()
            #expect(snapshots.map(\.loop.connections) == [0, 0, 50, 0])
            try await run.drain()
        }
    }

    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func canBeJoinedLate(_ placement: ListenerPlacement) async throws {
        let addresses = Addresses()
        let mayJoin = SharedCount()
        let run = SupervisedRun(makeSupervisor(2)) { shard in
            while shard.index == 1, mayJoin.value == 0 {
                try await shard.sleep(for: .milliseconds(1))
            }
            let listener = try shard.listen(placement: placement)
            addresses.add(listener.address)
            try await listener.serve(echo)
        }
        let address = try await addresses.last(after: 1)
        try await exchange(10, with: address)
        while await run.supervisor.snapshot().contains(where: { $0.loop.openConnections > 0 }) {
            await Task.yield()
        }
        mayJoin.add()
        #expect(try await addresses.last(after: 1) == address)
        let clients = try await connect(20, to: address)
        let loads = await run.supervisor.snapshot().map(\.loop.openConnections)
        #expect(loads.allSatisfy { (9...11).contains($0) }, "\(loads)")
        for client in clients { client.close() }
        try await run.drain()
    }

    @Test func isServedByAShardOnceAtATime() async throws {
        let addresses = Addresses()
        let errors = SharedList<IOError.Reason>()
        let run = SupervisedRun(makeSupervisor(1)) { shard in
            let listener = try shard.listen()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await listener.serve(echo) }
                while shard.state.sessions.isEmpty { await Task.yield() }
                do throws(IOError) {
                    try await listener.serve(echo)
                } catch {
                    errors.append(error.reason)
                }
                addresses.add(listener.address)
                try await group.waitForAll()
            }
        }
        let address = try await addresses.last(after: 1)
        #expect(errors.all == [.busy])
        try await exchange(3, with: address)
        try await run.drain()
    }

    /// The second begins while the first's accept is still being cancelled.
    @Test(arguments: [ListenerPlacement.perShard, .distributed])
    func isServedAgainAtOnceAfterACancellation(_ placement: ListenerPlacement) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let run = SupervisedRun(makeSupervisor(1)) { shard in
                let listener = try shard.listen(placement: placement)
                for _ in 0..<20 {
                    let first = Task(executorPreference: shard.executor) {
                        try await listener.serve(echo)
                    }
                    while shard.state.sessions.isEmpty { await Task.yield() }
                    first.cancel()
                    while !shard.state.sessions.isEmpty { await Task.yield() }
                }
                addresses.add(listener.address)
                try await listener.serve(echo)
            }
            let address = try await addresses.last(after: 1)
            try await exchange(3, with: address)
            try await run.drain()
        }
    }

    @Test func isNotOpenedOnceTheServerDrains() async throws {
        let reasons = SharedList<IOError.Reason>()
        let running = EventGate()
        let run = SupervisedRun(makeSupervisor(1)) { shard in
            let listener = try shard.listen()
            running.open()
            try await shard.untilDrain()
            do throws(IOError) {
                _ = try shard.listen(.tcp(host: "127.0.0.1", port: 0))
            } catch {
                reasons.append(error.reason)
            }
            do throws(IOError) {
                try await listener.serve(echo)
            } catch {
                reasons.append(error.reason)
            }
        }
        try await running.opened("a handler that runs")
        try await run.drain()
        #expect(reasons.all == [.closed, .closed])
    }

    @Test func isPlacedInOneWayByAllShards() async throws {
        let run = SupervisedRun(makeSupervisor(1)) { shard in
            _ = try shard.listen()
            _ = try shard.listen(placement: .distributed)
        }
        let outcome = try await run.outcome()
        guard case .handlerFailed(0, let cause as IOError) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause.reason == .invalidArgument)
        #expect("\(cause)".contains("is placed perShard by another shard; use the same"))
    }

    @Test(arguments: ["256.0.0.1", "localhost", ""])
    func namesAHostThatIsNoAddress(_ host: String) async throws {
        let run = SupervisedRun(makeSupervisor(2)) { shard in
            _ = try shard.listen(.tcp(host: host, port: 0))
        }
        let outcome = try await run.outcome()
        guard case .handlerFailed(_, let cause as IOError) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause.reason == .invalidArgument)
        #expect("\(cause)".contains("'\(host)'"))
    }
}

/// Clients that were echoed a byte each.
func connect(_ count: Int, to address: SocketAddress) async throws -> [BlockingClient] {
    try await onThread {
        try (0..<count).map { _ in
            let client = try BlockingClient(to: address)
            try client.exchange([1])
            return client
        }
    }
}
