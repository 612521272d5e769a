import Testing

@testable import UringEngine

/// Every heap of up to seven timers, in every order of adding.
///
/// Up to six also with every set of them cancelled.
@Suite struct TimerHeapLayoutTests {
    /// What a timer with this number should be found at: its deadline, then when it was added.
    private func expected(_ deadlines: [UInt64], keeping isKept: (Int) -> Bool) -> [Int] {
        deadlines.indices.filter(isKept).sorted { left, right in
            deadlines[left] == deadlines[right]
                ? left < right : deadlines[left] < deadlines[right]
        }
    }

    private func permutations(of values: [UInt64], _ body: ([UInt64]) -> Void) {
        var values = values
        func permute(_ start: Int) {
            guard start < values.count else { return body(values) }
            var seen: Set<UInt64> = []
            for index in start..<values.count where seen.insert(values[index]).inserted {
                values.swapAt(start, index)
                permute(start + 1)
                values.swapAt(start, index)
            }
        }
        permute(0)
    }

    /// All ways for `count` deadlines to be equal or not.
    ///
    /// Each non-decreasing list that starts at zero and has no gaps.
    private func patterns(count: Int) -> [[UInt64]] {
        (0..<(1 << max(0, count - 1))).map { bits in
            var value: UInt64 = 0
            return (0..<count).map { index in
                if index > 0, bits >> (index - 1) & 1 == 1 { value += 1 }
                return value
            }
        }
    }

    @Test(arguments: 0...7)
    func firesInOrderWhateverTheOrderOfAdding(count: Int) {
        var wrong = 0
        for pattern in patterns(count: count) {
            permutations(of: pattern) { deadlines in
                var heap = TimerHeap<Int>()
                for (index, deadline) in deadlines.enumerated() {
                    _ = heap.add(deadline: deadline, payload: index)
                }
                heap.checkInvariants()
                if drain(&heap) != expected(deadlines, keeping: { _ in true }) { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: 1...6)
    func firesTheRestInOrderWhicheverAreCancelled(count: Int) {
        var wrong = 0
        for pattern in patterns(count: count) where count < 6 || Set(pattern).count > 3 {
            permutations(of: pattern) { deadlines in
                for cancelled in 0..<(1 << count) {
                    wrong += firesTheRest(deadlines, cancelled: cancelled) ? 0 : 1
                }
            }
        }
        #expect(wrong == 0)
    }

    /// Cancels the timers whose bit is set; the odd sets from the last to the first.
    private func firesTheRest(_ deadlines: [UInt64], cancelled: Int) -> Bool {
        var heap = TimerHeap<Int>()
        let ids = deadlines.indices.map { heap.add(deadline: deadlines[$0], payload: $0) }
        let order = cancelled & 1 == 1 ? Array(ids.indices.reversed()) : Array(ids.indices)
        for index in order where cancelled >> index & 1 == 1 {
            guard heap.cancel(ids[index]) == index else { return false }
        }
        heap.checkInvariants()
        let rest = expected(deadlines) { cancelled >> $0 & 1 == 0 }
        guard heap.count == rest.count, heap.nextDeadline == rest.first.map({ deadlines[$0] })
        else { return false }
        return drain(&heap) == rest
    }
}
