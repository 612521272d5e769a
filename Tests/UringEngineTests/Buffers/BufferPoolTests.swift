import Testing
import UringEngine

@Suite struct BufferPoolTests {
    @Test(arguments: [1, 2, 3, 4, 8]) func handsOutEachBufferOnce(count: Int) throws {
        let fixture = try PoolFixture(bufferCount: count)
        let pool = fixture.pool
        for round in 1...3 {
            var taken: [BufferID] = []
            for _ in 0..<count {
                taken.append(try #require(pool.takeForKernel()))
                pool.checkInvariants()
            }
            #expect(pool.takeForKernel() == nil)
            #expect(Set(taken).count == count)
            #expect(pool.kernelOwnedCount == count)
            fixture.onLoop {
                for buffer in taken {
                    pool.drop(pool.lease(buffer))
                    pool.checkInvariants()
                }
            }
            #expect(pool.freeBufferCount == count, "round \(round)")
        }
    }

    @Test func providesTheFirstBuffersFirst() throws {
        let fixture = try PoolFixture(bufferCount: 3)
        #expect(fixture.provide(3).map(\.rawValue) == [0, 1, 2])
    }

    @Test(arguments: 1...9) func isMostlyLentAboveThreeQuarters(count: Int) throws {
        let fixture = try PoolFixture(bufferCount: count)
        let pool = fixture.pool
        var leases: [BytesBox] = []
        for buffer in fixture.provide(count) {
            leases.append(BytesBox(fixture.receive([1], in: buffer)))
            #expect(pool.isMostlyLent == (pool.lentCount > max(1, count - count / 4)))
            pool.checkInvariants()
        }
        fixture.onLoop { leases = [] }
        #expect(!pool.isMostlyLent)
        #expect(pool.freeBufferCount == count)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func keepsItsSumInRandomUse(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fixture = try PoolFixture(bufferCount: 5)
        let pool = fixture.pool
        var kernel: [BufferID] = []
        var lent: [BytesBox] = []
        fixture.onLoop {
            for _ in 0..<2_000 {
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: if let buffer = pool.takeForKernel() { kernel.append(buffer) }
                case 1 where !kernel.isEmpty:
                    let buffer = kernel.remove(at: .random(in: 0..<kernel.count, using: &generator))
                    lent.append(BytesBox(fixture.receive([1], in: buffer)))
                case 2 where !lent.isEmpty:
                    lent.remove(at: .random(in: 0..<lent.count, using: &generator))
                default: break
                }
                pool.checkInvariants()
                #expect(pool.kernelOwnedCount == kernel.count)
                #expect(pool.lentCount == lent.count)
            }
            lent = []
        }
        #expect(pool.freeBufferCount == 5 - kernel.count)
    }

    @Test func takesBackFromOutsideTheLoopWhenItCollects() throws {
        let fixture = try PoolFixture()
        let buffer = fixture.provide(1)[0]
        do { _ = fixture.receive([1], in: buffer) }
        #expect(fixture.pool.lentCount == 1, "it waits to be collected")
        fixture.pool.collectReturns()
        #expect(fixture.pool.lentCount == 0)
        #expect(fixture.waker.count == 0, "nobody starves")
        fixture.pool.checkInvariants()
    }

    @Test func wakesOnceWhenSomebodyStarves() throws {
        let fixture = try PoolFixture()
        let buffers = fixture.provide(3)
        var held = buffers.map { BytesBox(fixture.receive([1], in: $0)) }
        #expect(fixture.pool.requestWakeOnReturn())
        held.removeLast()
        #expect(fixture.waker.count == 1)
        held.removeLast()
        #expect(fixture.waker.count == 1)
        #expect(!fixture.pool.requestWakeOnReturn(), "returns wait already: do not park")
        fixture.pool.collectReturns()
        #expect(fixture.pool.requestWakeOnReturn())
        held = []
        #expect(fixture.waker.count == 2)
        fixture.pool.collectReturns()
        #expect(fixture.pool.freeBufferCount == 4)
    }

    @Test func trapsWhenALeaseIsForgotten() async {
        await #expect(processExitsWith: .failure) {
            let fixture = try PoolFixture()
            _ = fixture.pool.lease(fixture.provide(1)[0])
        }
    }

    @Test func trapsOnABufferThatTheKernelDoesNotHave() async {
        await #expect(processExitsWith: .failure) {
            let fixture = try PoolFixture()
            fixture.pool.drop(fixture.pool.lease(BufferID(rawValue: 2)))
        }
        await #expect(processExitsWith: .failure) {
            let fixture = try PoolFixture()
            fixture.pool.drop(fixture.pool.lease(BufferID(rawValue: 4)))
        }
    }
}
