import UringTesting

/// `uringcore-simulate [COUNT] [FIRST]`: runs the exercise for COUNT seeds from FIRST on, and says
/// for each that fails how.
///
/// `SIMULATION_SEEDS` gives the count where there is no argument.
@main
enum Simulate {
    private static let failuresMax = 5

    static func main() {
        let arguments = CommandLine.arguments.dropFirst().map { UInt64($0) }
        guard arguments.count <= 2, !arguments.contains(nil) else {
            return fail("usage: uringcore-simulate [COUNT] [FIRST]; both are whole numbers")
        }
        let count = arguments.first.flatMap { $0 } ?? Environment.seedCount ?? 20_000
        let first = arguments.dropFirst().first.flatMap { $0 } ?? 1
        let (end, isTooMuch) = first.addingReportingOverflow(count)
        guard !isTooMuch else { return fail("seeds are less than 2^64") }
        run(first..<end)
    }

    private static func run(_ seeds: Range<UInt64>) {
        let clock = ContinuousClock()
        let start = clock.now
        var (events, failures, hash) = (0, 0, UInt64(0))
        for seed in seeds {
            do {
                let outcome = try Exercise(seed: seed).run()
                events += outcome.traceCount
                hash = (hash ^ outcome.traceHash) &* 0x9E37_79B9_7F4A_7C15
            } catch {
                failures += 1
                print("\(error)\n")
                if failures == failuresMax { break }
            }
        }
        print(
            "\(seeds.count) seeds, \(events) events, \(failures) failures, \(clock.now - start), "
                + "hash \(String(hash, radix: 16))"
        )
        if failures > 0 { Environment.exit(1) }
    }

    private static func fail(_ text: String) {
        print(text)
        Environment.exit(2)
    }
}
