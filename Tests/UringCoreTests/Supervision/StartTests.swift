import CNUMA
import Testing

@testable import UringCore
@testable import UringEngine

/// All shards start, and alike, or none does.
@Suite("The start of a supervisor", .serialized)
struct StartTests {
    @Test func bindsEveryShardToItsOwnCPU() async throws {
        let allowed = CoreSelection.allowedCPUs()
        let seen = SharedList<[Int]>()
        let configuration = configured { $0.pinning = .on }
        let run = SupervisedRun(try Supervisor(configuration: configuration, logger: nil)) {
            seen.append([$0.cpu ?? -1, Int(cn_current_cpu())] + CoreSelection.allowedCPUs())
        }
        try await run.expectEnd()
        // A quota may leave fewer shards than CPUs.
        let bound = run.supervisor.plan.cpuOfShard.compactMap { $0 }
        #expect(!bound.isEmpty && Set(bound).isSubset(of: allowed))
        #expect(seen.all.sorted { $0[0] < $1[0] } == bound.map { [$0, $0, $0] })
    }

    @Test func leavesShardsWhereTheyMayRunWhenTheyAreNotBound() async throws {
        let allowed = CoreSelection.allowedCPUs()
        let seen = SharedList<[Int]>()
        let configuration = configured { $0.pinning = .off }
        let run = SupervisedRun(try Supervisor(configuration: configuration, logger: nil)) {
            #expect($0.cpu == nil)
            seen.append(CoreSelection.allowedCPUs())
        }
        try await run.expectEnd()
        #expect(!seen.all.isEmpty && seen.all.allSatisfy { $0 == allowed })
    }

    @Test(arguments: [0, 1, 2])
    func failsAsAWholeWithTheShardAndTheCause(_ broken: Int) async throws {
        try await leavingNothing {
            let supervisor = makeSupervisor(3) { (index, options) throws(IOError) in
                guard index != broken else { throw IOError(.setUpRing, errno: .notPermitted) }
                return try EventLoop(options)
            }
            let calls = SharedCount()
            let outcome = try await SupervisedRun(supervisor) { _ in calls.add() }.outcome()
            guard case .startFailed(let shard, nil, let cause) = outcome else {
                throw UnexpectedOutcome(outcome)
            }
            #expect(shard == broken)
            #expect(cause == IOError(.setUpRing, errno: .notPermitted))
            #expect(calls.value == 0, "no handler runs before all shards stand")
        }
    }

    @Test func namesTheFirstOfSeveralThatCannotBeMade() async throws {
        let failed = EventGate()
        let supervisor = makeSupervisor(4) { (index, options) throws(IOError) in
            if index == 0 { return try EventLoop(options) }
            if index > 1 {
                failed.open()
            } else {
                for _ in 0..<2 { try? failed.wait("the other shards have failed") }
            }
            throw IOError(.setUpRing, errno: .notPermitted)
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        #expect(
            outcome.map { "\($0)" }
                == "shard 1 could not start, so none did: set up ring failed: EPERM (1)"
        )
    }

    @Test(.ordinarySizes) func makesAllAgainAndSmallerWhenOneHasNoMemory() async throws {
        try await leavingNothing {
            let made = SharedList<Int>()
            let supervisor = makeSupervisor(3) { (index, options) throws(IOError) in
                if index == 1, options.ringEntries > 64 {
                    throw IOError(.setUpRing, errno: .noMemory)
                }
                if options.ringEntries == 64 { made.append(options.completionEntries) }
                return try EventLoop(options)
            }
            let entries = SharedList<Int>()
            let run = SupervisedRun(supervisor) { shard in
                entries.append(shard.loop.options.ringEntries)
                // Nothing of the tries before is in the way.
                _ = try shard.listen()
            }
            try await run.expectEnd()
            #expect(entries.all == [64, 64, 64])
            #expect(Set(made.all) == [1_024], "halved together")
        }
    }

    @Test(.ordinarySizes) func keepsTheSizeWhenMemoryComesBack() async throws {
        let refusals = SharedCount()
        let supervisor = makeSupervisor(2) { (index, options) throws(IOError) in
            if index == 0, refusals.add() <= 2 { throw IOError(.setUpRing, errno: .noMemory) }
            return try EventLoop(options)
        }
        let entries = SharedList<Int>()
        let run = SupervisedRun(supervisor) { entries.append($0.loop.options.ringEntries) }
        try await run.expectEnd()
        #expect(entries.all == [256, 256])
    }

    @Test(.ordinarySizes) func endsWithTheCauseWhenThereIsNoMemoryForAnySize() async throws {
        let smallest = SharedCount()
        let supervisor = makeSupervisor(2) { (index, options) throws(IOError) in
            if options.ringEntries == 8 { smallest.add() }
            if index == 1 { throw IOError(.setUpRing, errno: .noMemory) }
            return try EventLoop(options)
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .startFailed(1, nil, let cause) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause.errno == .noMemory)
        #expect(smallest.value > 0, "down to the smallest size")
    }

    /// Its own set-up has tried every size before.
    @Test func triesASingleShardOnce() async throws {
        let attempts = SharedCount()
        let supervisor = makeSupervisor(1) { (_, _) throws(IOError) in
            attempts.add()
            throw IOError(.setUpRing, errno: .noMemory)
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .startFailed(0, nil, _) = outcome else { throw UnexpectedOutcome(outcome) }
        #expect(attempts.value == 1)
    }

    @Test(.enabled(if: isRoot, "only root may change the user"), arguments: [2, 4])
    func findsRoomForAllUnder64KiBOfLockedMemory(_ shardCount: Int) async throws {
        await #expect(processExitsWith: .success) { [shardCount] in
            try becomeUnprivileged(lockedBytes: 65_536)
            let supervisor = makeSupervisor(shardCount)
            let sizes = SharedList<Int>()
            let addresses = Addresses()
            let run = SupervisedRun(supervisor) { shard in
                sizes.append(shard.loop.options.ringEntries)
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve(echo)
            }
            let address = try await addresses.last(after: shardCount)
            try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
            try await run.drain()
            try #require(sizes.all.count == shardCount)
            try #require(Set(sizes.all).count == 1, "all are alike")
        }
    }
}

/// A run that ended otherwise than expected.
struct UnexpectedOutcome: Error {
    let outcome: SupervisorError?

    init(_ outcome: SupervisorError?) {
        self.outcome = outcome
    }
}
