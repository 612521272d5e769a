import Testing

@testable import UringEngine

@Suite struct DescriptorTableTests {
    private final class Owner: DescriptorOwner {
        override init() { super.init() }
    }

    private let table: DescriptorTable

    init() throws {
        table = try DescriptorTable(descriptorsMax: 2_048)
    }

    private func adopt(_ number: Int32) -> (slot: SlotIndex, owner: Owner) {
        let owner = Owner()
        return (table.adopt(Descriptor(rawValue: number), owner: owner), owner)
    }

    @Test func takesADescriptorIn() {
        let (slot, owner) = adopt(7)
        table.checkInvariants()
        #expect(table.count == 1)
        #expect(owner.slot == slot)
        #expect(table[slot].descriptor == Descriptor(rawValue: 7))
        #expect(table[slot].state == .open)
        #expect(table[slot].inFlightCount == 0)
        #expect(table[slot].owner === owner)
    }

    @Test func reusesAFreedSlotWithNothingLeftOfTheFirst() {
        let (slot, _) = adopt(7)
        #expect(table.beginReaping(slot, mode: .reset))
        table.release(slot)
        table.checkInvariants()
        #expect(table.count == 0)
        #expect(table[slot].owner == nil)
        let second = adopt(8)
        #expect(second.slot == slot)
        #expect(table[slot].state == .open)
        table.checkInvariants()
    }

    @Test func changesTheOwner() {
        let (slot, first) = adopt(7)
        let second = Owner()
        table.handOver(slot, to: second)
        #expect(first.slot == .none)
        #expect(second.slot == slot)
        #expect(table[slot].owner === second)
        table.checkInvariants()
    }

    @Test func onlyMovesAnOrderlyEndToAReset() {
        let modes: [CloseMode] = [.orderly, .reset, .letGo]
        for first in modes {
            for second in modes {
                let (slot, _) = adopt(7)
                #expect(table.beginReaping(slot, mode: first))
                #expect(!table.beginReaping(slot, mode: second))
                let expected = first == .orderly && second == .reset ? .reset : first
                #expect(table[slot].state == .reaping(expected))
                table.release(slot)
                table.checkInvariants()
            }
        }
    }

    @Test func visitsEverySlotInUse() {
        var slots: [SlotIndex] = []
        for number in 0..<1_500 as Range<Int32> { slots.append(adopt(number).slot) }
        #expect(Set(slots).count == 1_500)
        for (position, slot) in slots.enumerated() where position % 3 == 0 { table.release(slot) }
        table.checkInvariants()
        var seen: Set<Int32> = []
        table.visitAll({ seen.insert(table[$0].descriptor.rawValue) })
        #expect(seen == Set((0..<1_500).filter { $0 % 3 != 0 }))
        #expect(table.count == 1_000)
    }

    @Test(arguments: 1...4) func keepsItsSumInEverySmallLayout(size: Int) throws {
        // Each bit of `pattern` tells whether that slot is freed.
        for pattern in 0..<(1 << size) {
            let table = try DescriptorTable(descriptorsMax: size)
            let owners = (0..<size).map { _ in Owner() }
            for (number, owner) in owners.enumerated() {
                _ = table.adopt(Descriptor(rawValue: Int32(number)), owner: owner)
                table.checkInvariants()
            }
            for (position, owner) in owners.enumerated() where pattern >> position & 1 == 1 {
                table.release(owner.slot)
                table.checkInvariants()
            }
            #expect(table.count == size - pattern.nonzeroBitCount)
        }
    }

    @Test func trapsWhenASlotIsFreedTwice() async {
        await #expect(processExitsWith: .failure) {
            let table = try DescriptorTable(descriptorsMax: 8)
            let slot = table.adopt(Descriptor(rawValue: 1), owner: Owner())
            table.release(slot)
            table.release(slot)
        }
    }

    @Test func trapsWhenASlotIsFreedInFlight() async {
        await #expect(processExitsWith: .failure) {
            let table = try DescriptorTable(descriptorsMax: 8)
            let slot = table.adopt(Descriptor(rawValue: 1), owner: Owner())
            table[slot].inFlightCount = 1
            table.release(slot)
        }
    }
}
