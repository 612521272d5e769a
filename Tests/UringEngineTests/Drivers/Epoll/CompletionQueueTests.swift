import Testing

@testable import UringEngine

@Suite("A completion queue")
struct CompletionQueueTests {
    private func completion(_ number: Int) -> Completion {
        Completion(token: OperationToken(rawValue: 1 << 32), result: Int32(number))
    }

    /// Every place of the head, every count, through growth and around the end.
    @Test(arguments: 0..<8, 0...20)
    func keepsItsOrderInEveryLayout(head: Int, count: Int) {
        var queue = CompletionQueue(capacity: 4)
        for number in 0..<head {
            queue.append(completion(number))
            #expect(queue.popFirst()?.result == Int32(number))
        }
        for number in 0..<count { queue.append(completion(number)) }
        #expect(queue.count == count)
        var batch = CompletionBatch(capacity: 7)
        var all: [Int32] = []
        while queue.count > 0 {
            let moved = queue.move(into: &batch)
            #expect(moved == batch.count && moved > 0)
            all += (0..<moved).map { batch[$0].result }
            batch.removeAll()
        }
        #expect(all == (0..<count).map(Int32.init))
        #expect(queue.popFirst() == nil)
    }

    @Test func fillsOnlyTheRoomOfABatch() {
        var queue = CompletionQueue(capacity: 4)
        var batch = CompletionBatch(capacity: 3)
        batch.append(completion(9))
        for number in 0..<4 { queue.append(completion(number)) }
        #expect(queue.move(into: &batch) == 2)
        #expect((0..<3).map { batch[$0].result } == [9, 0, 1])
        #expect(queue.move(into: &batch) == 0)
        #expect(queue.count == 2)
    }
}
