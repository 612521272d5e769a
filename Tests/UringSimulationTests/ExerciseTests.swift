import Testing

@testable import UringSimulate

/// Random servers, clients and kernels, by seed: the same that `uringcore-simulate` runs by the ten
/// thousand.
@Suite struct ExerciseTests {
    /// A debug build does 60 seeds in a second, a release build 600: many seeds are for the tool.
    @Test(arguments: 0..<6) func keepsEveryPromise(block: UInt64) throws {
        let seeds = Environment.seedCount ?? 600
        for seed in (block * seeds / 6)..<((block + 1) * seeds / 6) {
            try Exercise(seed: seed).run()
        }
    }

    @Test(arguments: [3, 11, 98, 112_857] as [UInt64])
    func isTheSameRunForTheSameSeed(seed: UInt64) throws {
        let first = try Exercise(seed: seed).run()
        #expect(try Exercise(seed: seed).run() == first)
    }

    @Test func isAnotherRunForAnotherSeed() throws {
        let runs = try (0..<20).map { try Exercise(seed: $0).run() }
        #expect(Set(runs).count == runs.count)
    }

    /// Another process has another seed for its hashes, and other addresses.
    @Test func isTheSameRunInAnotherProcess() async throws {
        let seeds: Range<UInt64> = 0..<20
        let here = try seeds.map { "\(try Exercise(seed: $0).run().traceHash)" }
        let result = await #expect(
            processExitsWith: .success,
            observing: [\.standardOutputContent]
        ) {
            for seed in 0..<20 as Range<UInt64> {
                print("hash \(try Exercise(seed: seed).run().traceHash)")
            }
        }
        let output = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        let there = output.split(separator: "\n").filter { $0.hasPrefix("hash ") }
        #expect(there.map { String($0.dropFirst(5)) } == here)
    }
}
