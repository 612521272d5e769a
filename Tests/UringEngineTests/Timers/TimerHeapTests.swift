import Testing

@testable import UringEngine

@Suite struct TimerHeapTests {
    private final class Object {}

    @Test func hasNoDeadlineWhenEmpty() {
        var heap = TimerHeap<Int>()
        #expect(heap.isEmpty == true)
        #expect(heap.count == 0)
        #expect(heap.nextDeadline == nil)
        #expect(heap.popDue(now: .max) == nil)
        heap.checkInvariants()
    }

    @Test func firesNothingBeforeItsDeadline() {
        var heap = TimerHeap<Int>()
        _ = heap.add(deadline: 100, payload: 1)
        #expect(heap.popDue(now: 99) == nil)
        #expect(heap.nextDeadline == 100)
        #expect(heap.popDue(now: 100) == 1)
        #expect(heap.isEmpty == true)
    }

    @Test func takesTheLargestAndTheSmallestDeadline() {
        var heap = TimerHeap<Int>()
        _ = heap.add(deadline: .max, payload: 2)
        _ = heap.add(deadline: 0, payload: 1)
        #expect(heap.popDue(now: 0) == 1)
        #expect(heap.popDue(now: .max - 1) == nil)
        #expect(heap.popDue(now: .max) == 2)
    }

    @Test func firesEqualDeadlinesInTheOrderOfAdding() {
        var heap = TimerHeap<Int>()
        for payload in 0..<1_000 { _ = heap.add(deadline: 7, payload: payload) }
        heap.checkInvariants()
        #expect(drain(&heap) == Array(0..<1_000))
    }

    @Test func keepsTheOrderOfEqualDeadlinesWhenMostAreCancelled() {
        var heap = TimerHeap<Int>()
        let ids = (0..<1_000).map { heap.add(deadline: 7, payload: $0) }
        for (payload, id) in ids.enumerated().reversed() where payload % 7 != 0 {
            #expect(heap.cancel(id) == payload)
        }
        // These reuse the freed slots, and still come last.
        for payload in 1_000..<1_100 { _ = heap.add(deadline: 7, payload: payload) }
        heap.checkInvariants()
        #expect(drain(&heap) == (0..<1_000).filter { $0 % 7 == 0 } + Array(1_000..<1_100))
    }

    @Test func freesACancelledPayloadAtOnce() {
        var heap = TimerHeap<Object>()
        weak var last: Object?
        for _ in 0..<10 { _ = heap.add(deadline: 1, payload: Object()) }
        let id = {
            let object = Object()
            last = object
            return heap.add(deadline: 5, payload: object)
        }()
        #expect(last != nil)
        _ = heap.cancel(id)
        #expect(last == nil)
        #expect(heap.count == 10)
    }

    @Test func freesAFiredPayloadAtOnce() {
        var heap = TimerHeap<Object>()
        weak var last: Object?
        do {
            let object = Object()
            last = object
            _ = heap.add(deadline: 5, payload: object)
        }
        #expect(last != nil)
        _ = heap.popDue(now: 5)
        #expect(last == nil)
    }

    @Test func freesAllPayloadsWithTheHeap() {
        weak var last: Object?
        do {
            var heap = TimerHeap<Object>()
            let object = Object()
            last = object
            _ = heap.add(deadline: 5, payload: object)
        }
        #expect(last == nil)
    }

    @Test func ignoresTheIDOfATimerThatFired() {
        var heap = TimerHeap<Int>()
        let id = heap.add(deadline: 1, payload: 1)
        #expect(heap.popDue(now: 1) == 1)
        #expect(heap.cancel(id) == nil)
    }

    @Test func ignoresAStaleIDWhenItsSlotIsUsedAgain() {
        var heap = TimerHeap<Int>()
        let first = heap.add(deadline: 1, payload: 1)
        #expect(heap.cancel(first) == 1)
        let second = heap.add(deadline: 1, payload: 2)
        #expect(second.slot == first.slot)
        #expect(heap.cancel(first) == nil)
        #expect(heap.count == 1)
        #expect(heap.cancel(second) == 2)
        #expect(heap.cancel(second) == nil)
    }

    @Test func ignoresAnIDThatItNeverMade() {
        var heap = TimerHeap<Int>()
        _ = heap.add(deadline: 1, payload: 1)
        #expect(heap.cancel(TimerID(slot: .none, sequence: 0)) == nil)
        #expect(heap.cancel(TimerID(slot: SlotIndex(rawValue: 0), sequence: 9)) == nil)
        #expect(heap.count == 1)
    }

    @Test func handsOutAllPayloadsOnRemoveAll() {
        var heap = TimerHeap<Int>()
        let ids = (0..<10).map { heap.add(deadline: 1, payload: $0) }
        _ = heap.cancel(ids[3])
        #expect(heap.removeAll().sorted() == [0, 1, 2, 4, 5, 6, 7, 8, 9])
        heap.checkInvariants()
        #expect(heap.isEmpty == true)
        #expect(heap.nextDeadline == nil)
        // Slots begin again at zero, sequence numbers don't.
        _ = heap.add(deadline: 1, payload: 10)
        #expect(ids.allSatisfy { heap.cancel($0) == nil })
        #expect(drain(&heap) == [10])
    }

    @Test func reusesSlotsSoThatAddAndCancelDoNotGrow() {
        var heap = TimerHeap<Int>()
        for round in 0..<10_000 {
            let id = heap.add(deadline: UInt64(round), payload: round)
            #expect(id.slot.rawValue == 0)
            _ = heap.cancel(id)
        }
    }
}
