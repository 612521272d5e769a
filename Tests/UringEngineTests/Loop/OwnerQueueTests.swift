import Testing

@testable import UringEngine

@Suite struct OwnerQueueTests {
    private final class Owner: DescriptorOwner {
        override init() { super.init() }
    }

    private let queue = OwnerQueue()

    @Test func isFirstInFirstOut() {
        let owners = (0..<20).map { _ in Owner() }
        for owner in owners { queue.append(owner) }
        #expect(queue.count == 20)
        for owner in owners { #expect(queue.popFirst()?.takeUnretainedValue() === owner) }
        #expect(queue.popFirst() == nil)
        #expect(queue.isEmpty)
    }

    @Test(arguments: 0..<6) func forgetsOneAndKeepsTheOrder(size: Int) {
        for removed in 0..<size {
            for shift in 0..<4 {
                let queue = OwnerQueue()
                let filler = Owner()
                // Moves the ring's start, so that the queue lies across the end of its storage.
                for _ in 0..<shift { queue.append(filler) }
                for _ in 0..<shift { _ = queue.popFirst() }
                let owners = (0..<size).map { _ in Owner() }
                for owner in owners { queue.append(owner) }
                queue.remove(owners[removed])
                #expect(queue.count == size - 1)
                for owner in owners where owner !== owners[removed] {
                    #expect(queue.popFirst()?.takeUnretainedValue() === owner)
                }
                #expect(queue.isEmpty)
            }
        }
    }

    @Test func leavesAloneWhoIsNotInIt() {
        let owner = Owner()
        queue.append(owner)
        queue.remove(Owner())
        #expect(queue.count == 1)
        #expect(queue.popFirst()?.takeUnretainedValue() === owner)
    }
}
