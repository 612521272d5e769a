import Testing

@testable import UringEngine

struct RingSizesTests {
    private func sizes(_ submissions: Int, _ completions: Int, _ provided: Int) -> RingSizes {
        RingSizes(
            submissionEntries: submissions,
            completionEntries: completions,
            providedEntries: provided
        )
    }

    @Test(arguments: [
        // What each fitted within 64 KiB on Linux 6.18 as an unprivileged user.
        (64, 256, 256, 4), (64, 256, 512, 3), (32, 128, 256, 5), (128, 512, 256, 2),
        (256, 1024, 256, 1), (256, 4096, 256, 0),
    ])
    func theFormulaAgreesWithTheKernel(
        submissions: Int,
        completions: Int,
        provided: Int,
        ringsInLimit: Int
    ) {
        let bytes = sizes(submissions, completions, provided).byteCount(pageBytes: 4096)
        #expect(65_536 / bytes == ringsInLimit)
    }

    @Test(arguments: [
        (65_536, 4, 64, 256, 256), (65_536, 1, 256, 2048, 256), (8 << 20, 4, 256, 4096, 256),
        (1 << 20, 8, 256, 4096, 256), (1 << 20, 16, 256, 2048, 256), (0, 1, 32, 128, 256),
    ])
    func oneSizeIsChosenFromTheLimit(
        limit: Int,
        shards: Int,
        submissions: Int,
        completions: Int,
        provided: Int
    ) {
        let budget = RingMemoryBudget(limitBytes: limit, shardCount: shards)
        let chosen = RingSizes.standard.fitting(budget)
        #expect(chosen == sizes(submissions, completions, provided))
        let isSmallest = chosen.halved(pageBytes: 4096) == nil
        #expect(isSmallest || chosen.byteCount(pageBytes: 4096) * shards <= limit)
    }

    @Test func withoutALimitTheWishIsKept() {
        let budget = RingMemoryBudget(limitBytes: nil, shardCount: 64)
        #expect(RingSizes.standard.fitting(budget) == .standard)
    }

    @Test func halvingAlwaysSavesOrEndsAndKeepsTheRatio() throws {
        var size = RingSizes.standard
        while let smaller = size.halved(pageBytes: 4096) {
            #expect(smaller.byteCount(pageBytes: 4096) <= size.byteCount(pageBytes: 4096))
            #expect(smaller.completionEntries >= 4 * smaller.submissionEntries)
            size = smaller
        }
        #expect(size.byteCount(pageBytes: 4096) == 3 * 4096)
    }

    @Test func oddWishesBecomePowersOfTwo() {
        #expect(sizes(100, 10, 100_000).normalized == sizes(128, 128, 32_768))
        #expect(sizes(0, 0, 0).normalized == sizes(1, 1, 16))
    }
}
