import Testing
import UringEngine

@testable import UringCore

@Suite("Trimming the heap") struct HeapTrimTests {
    private static let mebibyte = 1 << 20

    @Test func isDueOnceAfterABurst() {
        var trim = HeapTrim()
        let counts = [10, 300, 200, 100, 100, 0, 0]
        let due = counts.map { trim.isDue($0 * Self.mebibyte) }
        #expect(due == [false, false, false, true, false, true, false])
    }

    @Test func leavesSmallChangesAlone() {
        var trim = HeapTrim()
        let due = [31, 0, 31, 0].map { trim.isDue($0 * Self.mebibyte) }
        #expect(due == [false, false, false, false])
    }

    @Test func countsBlocksOfTheHeap() {
        let before = HeapBytes.count
        let storage = ByteStorage(heapBytes: 64 * Self.mebibyte)
        #expect(HeapBytes.count - before > 32 * Self.mebibyte)
        _ = consume storage
        #expect(HeapBytes.count - before < 32 * Self.mebibyte)
    }
}
