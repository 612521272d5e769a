import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// A loop whose kernel refuses to wait: its shard is lost, the others drain.
@Suite("A shard that fails", .serialized)
struct ShardFailureTests {
    private static func configuration() -> Configuration {
        // Else the ring is entered by its registered number, which stays good.
        configured {
            $0.backend = .uring
            $0.loop.featuresOff = [.registeredRing]
        }
    }

    /// Puts something else in the place of the shard's ring: each later wait fails.
    private func breakRing(of shard: Shard) {
        shard.loop.callSoonThreadsafe {
            guard let ring = shard.loop.driver.base.completionDescriptor else { return }
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            dup2(null, ring.rawValue)
            close(null)
        }
    }

    @Test(arguments: 0..<3)
    func endsTheRunWithItsNameAndDrainsTheOthers(_ broken: Int) async throws {
        let addresses = Addresses()
        let shards = SharedList<Shard>()
        let ended = SharedList<Int>()
        let run = SupervisedRun(makeSupervisor(3, Self.configuration())) { shard in
            let listener = try shard.listen()
            shards.append(shard)
            addresses.add(listener.address)
            try await listener.serve(echo)
            ended.append(shard.index)
        }
        let address = try await addresses.last(after: 3)
        try await onThread {
            for _ in 0..<10 { try BlockingClient(to: address).exchange([1, 2, 3]) }
        }
        breakRing(of: try #require(shards.all.first { $0.index == broken }))
        let outcome = try await run.outcome()
        guard case .shardFailed(broken, nil, let cause) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause.operation == .wait)
        #expect(ended.all.sorted() == [0, 1, 2].filter { $0 != broken })
        // The kernel ends what was in flight on a ring some time after the ring is closed.
        try await eventually("no socket listens, whichever shard it was") {
            countListening(on: address) == 0
        }
    }

    /// Its handler's steps come when nothing of the shard is left to run them.
    @Test func lateStepsOfItsHandlerFindNothingToTrapOn() async throws {
        let release = EventGate()
        let addresses = Addresses()
        let shards = SharedList<Shard>()
        let late = EventGate()
        let run = SupervisedRun(makeSupervisor(2, Self.configuration())) { shard in
            let listener = try shard.listen()
            shards.append(shard)
            guard shard.index == 0 else {
                addresses.add(listener.address)
                return try await listener.serve(echo)
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await listener.serve(echo) }
                group.addTask {
                    try? await onThread { try release.wait("the end of the shard") }
                }
                addresses.add(listener.address)
                await group.waitForAll()
            }
            #expect(!shard.isCurrent)
            await #expect(throws: IOError.self) { try await shard.untilDrain() }
            #expect(throws: IOError.self) { try shard.listen() }
            await #expect(throws: IOError.self) { try await listener.serve(echo) }
            late.open()
            throw IOError(.wait, reason: .cancelled)
        }
        _ = try await addresses.last(after: 2)
        breakRing(of: try #require(shards.all.first { $0.index == 0 }))
        let outcome = try await run.outcome()
        guard case .shardFailed(0, nil, _) = outcome else { throw UnexpectedOutcome(outcome) }
        release.open()
        try await late.opened("the handler's end")
    }
}
