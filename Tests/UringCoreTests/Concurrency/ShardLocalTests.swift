import Testing

@testable import UringCore
@testable import UringEngine

@Suite(.serialized) struct ShardLocalTests {
    private struct Refused: Error {}

    @Test func keepsStateThatHandlersShare() async throws {
        try await withShards { run in
            let visits = ShardLocal(0, on: run.shards[0])
            let address = try await run.serve { connection in
                let visit = visits.withState { count in
                    count += 1
                    return count
                }
                try await connection.write([UInt8(visit)])
            }
            for visit in 1...5 {
                let bytes = try await onThread { try BlockingClient(to: address).receive(1) }
                #expect(bytes == [UInt8(visit)])
            }
        }
    }

    @Test func passesOnWhatItsBodyThrows() async throws {
        try await withShards { run in
            let state = ShardLocal([1], on: run.shards[0])
            let isRefused = try await run.on { _ in
                do throws(Refused) {
                    try state.withState { (numbers) throws(Refused) in
                        numbers.append(2)
                        throw Refused()
                    }
                    return false
                } catch {
                    return state.withState { $0 } == [1, 2]
                }
            }
            #expect(isRefused)
        }
    }

    @Test func isReachedFromElsewhereBySubmit() async throws {
        try await withShards(2) { run in
            let state = ShardLocal("a", on: run.shards[0])
            let text = try await run.on(1) { shard in
                try await shard.submit(to: 0) { _ in
                    state.withState { text in
                        text += "b"
                        return text
                    }
                }
            }
            #expect(text == "ab")
        }
    }

    @Test func mayEndAnywhere() async throws {
        let alive = SharedCount()
        try await withShards { run in
            let shard = run.shards[0]
            let state = try await run.on { _ in ShardLocal(CountedToken(alive), on: shard) }
            #expect(alive.value == 1)
            _ = consume state
        }
        #expect(alive.value == 0)
    }

    @Test func trapsWhenUsedOffItsShard() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            try await withShards { run in
                let state = ShardLocal(1, on: run.shards[0])
                state.withState { $0 += 1 }
            }
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("the state of shard 0 is used on its shard; use submit(to:)"))
    }
}
