import Glibc
import Testing

@testable import UringEngine

/// Where a pool's memory is asked for.
@Suite struct PoolPlacementTests {
    /// A kernel without NUMA has no such list.
    static let maps = "/proc/self/numa_maps"

    /// Preferred, not bound: when the node's memory is used up another's is better than none.
    @Test(.enabled(if: access(maps, R_OK) == 0))
    func prefersANodeAndInsistsOnNone() throws {
        let pool = try PoolFixture().pool
        let base = String(UInt(bitPattern: pool.region.base), radix: 16)
        let lines = try wholeText(ofFile: Self.maps).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(base + " ") }
        let policy = line?.split(separator: " ").dropFirst().first ?? ""
        #expect(policy.wholeMatch(of: /prefer:[0-9]+/) != nil, "\(line ?? "not mapped alone")")
    }
}
