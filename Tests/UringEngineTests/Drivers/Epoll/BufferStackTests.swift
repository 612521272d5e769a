import Testing

@testable import UringEngine

@Suite("A buffer stack")
struct BufferStackTests {
    private func stack(_ memory: borrowing MemoryMap, count: Int) -> BufferStack {
        var stack = BufferStack()
        stack.adopt(PoolRegion(base: memory.base, bufferBytes: 64, bufferCount: count))
        return stack
    }

    private func provide(_ numbers: [UInt16], to stack: inout BufferStack) {
        numbers.map { BufferID(rawValue: $0) }.withUnsafeBufferPointer { stack.provide($0) }
    }

    private func take(_ stack: inout BufferStack) -> UInt16? {
        let number = stack.next?.buffer.rawValue
        if number != nil { stack.takeNext() }
        return number
    }

    @Test func givesTheLastOneBackFirst() throws {
        let memory = try MemoryMap(byteCount: 256)
        var stack = stack(memory, count: 4)
        provide([0, 1, 2], to: &stack)
        stack.publish()
        let region = PoolRegion(base: memory.base, bufferBytes: 64, bufferCount: 4)
        #expect(stack.next?.address == region.address(of: BufferID(rawValue: 2)))
        #expect((0..<4).map { _ in take(&stack) } == [2, 1, 0, nil])
    }

    @Test(arguments: 0...4, 0...4)
    func keepsWhatIsNotPublishedBack(published: Int, unpublished: Int) throws {
        let memory = try MemoryMap(byteCount: 1024)
        var stack = stack(memory, count: 16)
        let first = (0..<published).map { UInt16($0) }
        let second = (0..<unpublished).map { UInt16(8 + $0) }
        provide(first, to: &stack)
        stack.publish()
        provide(second, to: &stack)
        var taken: [UInt16] = []
        while let number = take(&stack) { taken.append(number) }
        #expect(taken.sorted() == first)
        stack.publish()
        while let number = take(&stack) { taken.append(number) }
        #expect(taken.sorted() == first + second)
    }

    @Test func looksWithoutTaking() throws {
        let memory = try MemoryMap(byteCount: 64)
        var stack = stack(memory, count: 1)
        #expect(stack.next == nil)
        provide([0], to: &stack)
        stack.publish()
        #expect(stack.next?.buffer == BufferID(rawValue: 0))
        #expect(stack.count == 1)
    }
}
