import Testing

@testable import UringEngine

@Suite struct ReadyQueueTests {
    private struct Failure: Error {}

    @Test func returnsNilWhenEmpty() {
        var queue = ReadyQueue()
        #expect(queue.isEmpty == true)
        let job = queue.popFirst()
        #expect(job == nil)
    }

    @Test func runsJobsInTheOrderOfAppending() {
        var queue = ReadyQueue(capacity: 2)
        let target = RecordingTarget()
        for tag in 0..<200 as Range<UInt8> { queue.append(.target(target, tag: tag)) }
        #expect(queue.count == 200)
        queue.runAll()
        #expect(target.tags == Array(0..<200))
        #expect(queue.isEmpty == true)
    }

    @Test func keepsTheOrderAcrossTheEndOfItsStorage() {
        var queue = ReadyQueue(capacity: 8)
        let target = RecordingTarget()
        var expected: [UInt8] = []
        for round in 0..<50 as Range<UInt8> {
            for tag in [round, round &+ 100, round &+ 200] {
                queue.append(.target(target, tag: tag))
                expected.append(tag)
            }
            for _ in 0..<2 { try? queue.popFirst()?.run { _ in } }
        }
        queue.runAll()
        #expect(target.tags == expected)
    }

    @Test func passesOnWhatAClosureThrows() {
        var queue = ReadyQueue()
        queue.append(.closure { throw Failure() })
        let job = queue.popFirst()
        #expect(throws: Failure.self) { try job?.run { _ in } }
    }

    @Test func releasesAClosureAfterItRan() {
        var queue = ReadyQueue()
        weak var captured: RecordingTarget?
        do {
            let object = RecordingTarget()
            captured = object
            queue.append(.closure { object.runJob(tag: 1) })
        }
        #expect(captured != nil)
        queue.runAll()
        #expect(captured == nil)
    }

    @Test func keepsItsMemoryOnRemoveAll() {
        var queue = ReadyQueue()
        weak var captured: RecordingTarget?
        do {
            let object = RecordingTarget()
            captured = object
            for _ in 0..<100 { queue.append(.target(object, tag: 1)) }
        }
        queue.removeAll()
        #expect(captured == nil)
        #expect(queue.isEmpty == true)
        #expect(queue.capacity >= 100)
    }
}
