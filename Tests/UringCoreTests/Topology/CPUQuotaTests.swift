import Testing

@testable import UringCore

/// CPU time, as the kernel writes it.
@Suite("CPUQuota")
struct CPUQuotaTests {
    @Test(arguments: [
        ("150000 100000\n", 1.5, 2, true), ("50000 100000", 0.5, 1, true),
        ("100000 100000", 1, 1, false), ("400000 100000", 4, 4, false),
        ("1 100000", 0.00001, 1, true),
        ("9223372036854775807 1", 0x1p63, .max, false),
    ])
    func isReadFromVersionTwo(_ text: String, _ cpus: Double, _ threads: Int, _ isFraction: Bool) {
        let quota = CPUQuota(max: text, source: "/f")
        #expect(quota?.cpus == cpus)
        #expect(quota?.threadCount == threads)
        #expect(quota?.isFractional == isFraction)
        #expect(quota?.source == "/f")
    }

    @Test(arguments: [
        "", "\n", "max 100000\n", "max", "100000", "0 100000", "-1 100000", "100000 0",
        "100000 -5", "a b", "1 2 3", "99999999999999999999 100000",
    ])
    func isNoneInAnythingElse(_ text: String) {
        #expect(CPUQuota(max: text, source: "") == nil)
    }

    @Test(arguments: [
        (150_000, "quota 1.5"), (100_000, "quota 1"), (33_333, "quota 0.33"), (1_000, "quota 0.01"),
        (199_999, "quota 2"),
    ])
    func readsWithTwoDecimalsAtMost(_ quotaMicroseconds: Int, _ text: String) {
        let quota = CPUQuota(
            quotaMicroseconds: quotaMicroseconds,
            periodMicroseconds: 100_000,
            source: ""
        )
        #expect(quota.map { "\($0)" } == text)
    }
}
