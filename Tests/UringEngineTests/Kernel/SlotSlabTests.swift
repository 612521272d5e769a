import Testing
import UringEngine

@Suite struct SlotSlabTests {
    private final class Counted {
        nonisolated(unsafe) static var count = 0
        init() { Self.count += 1 }
        deinit { Self.count -= 1 }
    }

    @Test func growsByChunksUpToItsSize() throws {
        let slab = try SlotSlab<Int>(slotsMax: 2_049)
        let holdsFirst = slab.contains(SlotIndex(rawValue: 0))
        #expect(!holdsFirst, "it starts empty")
        for first in [0, 1_024, 2_048] as [UInt32] {
            let added = slab.grow { Int($0.rawValue) }
            #expect(added == first..<first + 1_024)
        }
        let beyond = slab.grow { Int($0.rawValue) }
        #expect(beyond == nil)
        let count = slab.count
        #expect(count == 3_072)
        for position in 0..<count {
            let value = slab[SlotIndex(rawValue: UInt32(position))]
            #expect(value == position)
        }
        let holdsBeyond = slab.contains(SlotIndex(rawValue: 3_072))
        let holdsNone = slab.contains(.none)
        #expect(!holdsBeyond && !holdsNone)
    }

    @Test func keepsWhatIsWrittenAcrossGrowth() throws {
        let slab = try SlotSlab<Int>(slotsMax: 4_096)
        _ = slab.grow { _ in 0 }
        let last = SlotIndex(rawValue: 1_023)
        slab[last] = 41
        slab[last] += 1
        _ = slab.grow { _ in 0 }
        let values = (slab[last], slab[SlotIndex(rawValue: 1_024)])
        #expect(values == (42, 0))
    }

    @Test func destroysItsSlots() throws {
        do {
            let slab = try SlotSlab<Counted>(slotsMax: 2_048)
            _ = slab.grow { _ in Counted() }
            _ = slab.grow { _ in Counted() }
            #expect(Counted.count == 2_048)
        }
        #expect(Counted.count == 0)
    }
}
