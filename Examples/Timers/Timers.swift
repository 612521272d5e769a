import UringCore

/// Waiting: sleeps, periods, deadlines. `Timers`
@main
enum Timers {
    static func main() async throws {
        var configuration = try Configuration.fromEnvironment()
        configuration.coreCount = 1
        try await Supervisor(configuration: configuration).run { shard in
            try await sleeps(on: shard)
            try await deadline(on: shard)
            await callbacks(on: shard)
        }
    }

    private static func sleeps(on shard: Shard) async throws {
        // On the loop's own timers: no other thread takes part.
        for tick in 1...3 {
            try await shard.sleep(for: .milliseconds(10))
            print("tick \(tick)")
        }
        // Many at once; those due first come first.
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in [3, 1, 2] {
                group.addTask {
                    try await shard.sleep(for: .milliseconds(20 * number))
                    return number
                }
            }
            for try await number in group { print("sleeper \(number)") }
        }
    }

    private static func deadline(on shard: Shard) async throws {
        do {
            try await shard.withTimeout(.milliseconds(20)) {
                try await shard.sleep(for: .seconds(3_600))
            }
        } catch let error as IOError where error.reason == .deadlineExceeded {
            print("an hour was too long")
        }
    }

    /// The callback face; a handle takes a call back.
    private static func callbacks(on shard: Shard) async {
        let done = ShardFlag(on: shard)
        let never = shard.loop.callLater(.milliseconds(5)) { print("never printed") }
        shard.loop.callLater(.milliseconds(10)) {
            print("called back")
            try done.set()
        }
        never.cancel()
        try? await done.wait()
    }
}
