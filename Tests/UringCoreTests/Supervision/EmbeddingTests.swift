import Testing

@testable import UringCore

/// A supervisor as a guest of a program that has a main actor of its own.
@Suite("A supervisor beside a main actor", .serialized)
struct EmbeddingTests {
    @MainActor private final class Program {
        private(set) var steps = 0

        func step() -> Int {
            steps += 1
            return steps
        }
    }

    @MainActor @Test func leavesItFreeToWork() async throws {
        let program = Program()
        let supervisor = makeSupervisor(2)
        let addresses = Addresses()
        let run = Task { @MainActor in
            try await supervisor.run { shard in
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve(echo)
            }
        }
        let address = try await addresses.last(after: 2)
        for step in 1...100 { #expect(program.step() == step) }
        try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
        supervisor.drain()
        try await run.value
    }

    /// From a shard to the main actor and back.
    @MainActor @Test func visitsItAndComesBack() async throws {
        let program = Program()
        let supervisor = makeSupervisor(2)
        try await supervisor.run { shard in
            for _ in 0..<50 {
                _ = await program.step()
                #expect(shard.isCurrent, "it goes on where it was")
            }
        }
        #expect(program.steps == 100)
    }

    /// Nothing of a start or of a drain needs the main thread.
    @MainActor @Test func worksWhileItIsBlocked() throws {
        let supervisor = makeSupervisor(2)
        let addresses = Addresses()
        let ended = EventGate()
        Task.detached {
            try await supervisor.run { shard in
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve(echo)
            }
            ended.open()
        }
        let address = LeftValue<SocketAddress>()
        Task.detached { address.put(try await addresses.last(after: 2)) }
        let client = try BlockingClient(to: try address.take("a server that listens"))
        try client.exchange([1, 2, 3])
        supervisor.drain()
        try ended.wait("the end of the run")
    }
}
