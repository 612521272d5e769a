import Testing
import UringEngine

@Suite struct CompletionBatchTests {
    private func completion(_ result: Int32) -> Completion {
        Completion(
            token: OperationToken(generation: .first, kind: .send, slot: SlotIndex(rawValue: 1)),
            result: result
        )
    }

    @Test(arguments: 1...5) func keepsTheOrderUpToItsCapacity(capacity: Int) {
        var batch = CompletionBatch(capacity: capacity)
        for round in 0..<3 as Range<Int32> {
            for position in 0..<capacity {
                #expect(batch.room == capacity - position)
                batch.append(completion(round * 100 + Int32(position)))
            }
            #expect(batch.count == capacity)
            #expect(batch.room == 0)
            for position in 0..<capacity {
                #expect(batch[position].result == round * 100 + Int32(position))
            }
            batch.removeAll()
            #expect(batch.count == 0)
        }
    }

    @Test func trapsWhenItIsOverfilled() async {
        await #expect(processExitsWith: .failure) {
            var batch = CompletionBatch(capacity: 1)
            let token = OperationToken(rawValue: 1)
            batch.append(Completion(token: token, result: 0))
            batch.append(Completion(token: token, result: 0))
        }
    }

    @Test func hasASliceOnlyWithABuffer() {
        let token = OperationToken(rawValue: 1)
        let bytes = Completion(token: token, result: 5, buffer: BufferID(rawValue: 3), offset: 8)
        let slice = BufferSlice(buffer: BufferID(rawValue: 3), offset: 8, count: 5)
        #expect(bytes.slice == slice)
        #expect(bytes.errno == nil)
        let failure = Completion(token: token, result: -105)
        #expect(failure.slice == nil)
        #expect(failure.errno == .noBuffers)
        let failed = Completion(token: token, result: -1, buffer: BufferID(rawValue: 0))
        #expect(failed.slice?.count == 0, "a failure holds no bytes, whatever buffer it returns")
    }
}
