import Testing

@testable import UringCore

/// Lists of CPUs, read and written.
@Suite("CPUList")
struct CPUListTests {
    @Test(arguments: [
        ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,3", [0, 1, 3]), ("3,0-1", [0, 1, 3]),
        ("1,1,0-2", [0, 1, 2]), ("4095", [4_095]),
    ])
    func readsWhatTheKernelWrites(_ text: String, _ cpus: [Int]) {
        #expect(CPUList.parse(text) == cpus)
    }

    @Test(arguments: ["", "\n", "0-3\n", "3-1", "a", "0-", "0,,1", "0-3:2", "4096", "-1"])
    func readsNothingElse(_ text: String) {
        #expect(CPUList.parse(text) == nil)
    }

    @Test(arguments: [
        ([], ""), ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2], "0-2"), ([0, 2, 4], "0,2,4"),
        ([0, 1, 4, 5, 6], "0,1,4-6"),
    ])
    func writesRangesFromThreeOn(_ cpus: [Int], _ text: String) {
        #expect(CPUList.text(of: cpus) == text)
    }
}
