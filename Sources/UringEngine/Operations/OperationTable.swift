/// The operations in flight: a token is valid from `begin` to `end`, and names one operation only.
///
/// > Thread: On-loop only.
@safe package final class OperationTable {
    // Exclusivity: nothing called from here comes back, so the run-time check would find nothing
    // (docs/decisions/0003).
    // Safety: slot addresses come from the slab for indices that were checked, and are not kept
    // beyond a call.
    private let slots: SlotSlab<OperationSlot>
    @safe @exclusivity(unchecked) private var firstFree = SlotIndex.none
    /// Completions whose token named no operation: each is a bug of ours or of the kernel.
    @safe @exclusivity(unchecked) package private(set) var staleCount: UInt64 = 0
    private let operationsMax: Int

    /// Makes room for at most `operationsMax` operations at once; memory grows with use.
    ///
    /// - Throws: an error of `.mapMemory`.
    package init(operationsMax: Int) throws(IOError) {
        self.operationsMax = operationsMax
        self.slots = try SlotSlab(slotsMax: operationsMax)
        // The first slots at once: a token of zeroes must not meet a slot that was never made.
        addSlots()
    }

    /// Takes a slot for a new operation.
    ///
    /// Precondition: fewer than `operationsMax` are in flight; descriptors run out long before.
    @inline(__always)
    package func begin(_ kind: OperationKind, on descriptorSlot: SlotIndex) -> OperationToken {
        if firstFree == .none { addSlots() }
        let slot = unsafe slots.address(of: firstFree)
        unsafe firstFree = slot.pointee.nextFree
        let token = unsafe slot.pointee.nextToken.with(kind)
        unsafe slot.pointee.liveToken = token.rawValue
        unsafe slot.pointee.descriptorSlot = descriptorSlot
        return token
    }

    /// Where the slot of an operation in flight lies, or nil for a stale token.
    @inline(__always)
    func resolve(_ token: OperationToken) -> UnsafeMutablePointer<OperationSlot>? {
        // A slot holds only tokens of its own index, and one that was never made holds zeroes,
        // which name slot 0: no index needs a check of its own.
        let slot = unsafe slots.boundedAddress(of: token.slot)
        guard unsafe slot.pointee.liveToken == token.rawValue else { return nil }
        return unsafe slot
    }

    /// Whether the token names an operation in flight.
    package func isInFlight(_ token: OperationToken) -> Bool { unsafe resolve(token) != nil }

    /// Gives a slot back after the terminal completion; the generation moves on.
    @inline(__always)
    func end(_ slot: UnsafeMutablePointer<OperationSlot>, at index: SlotIndex) {
        unsafe assert(slot.pointee.isInFlight, "an operation ends once")
        unsafe assert(slot.pointee.scratch == nil, "scratch memory is given back first")
        unsafe slot.pointee.liveToken = OperationSlot.idle(index)
        unsafe slot.pointee.nextToken = slot.pointee.nextToken.next
        unsafe slot.pointee.nextFree = firstFree
        firstFree = index
    }

    /// Gives a slot back after the terminal completion; the generation moves on.
    package func end(_ index: SlotIndex) {
        precondition(slots[index].isInFlight, "an operation ends once")
        unsafe end(slots.address(of: index), at: index)
    }

    /// The tokens of all operations in flight, collected when asked for.
    var inFlightTokens: [OperationToken] {
        (0..<UInt32(slots.count)).compactMap { position in
            let slot = slots[SlotIndex(rawValue: position)]
            return slot.isInFlight ? slot.token : nil
        }
    }

    /// Operations begun and not ended, counted when asked for.
    package var inFlightCount: Int {
        var count = 0
        for position in 0..<UInt32(slots.count)
        where slots[SlotIndex(rawValue: position)].isInFlight {
            count += 1
        }
        return count
    }

    /// Counts a completion that names no operation in flight.
    package func countStale() {
        staleCount &+= 1
    }

    /// The slot at `index`.
    package subscript(index: SlotIndex) -> OperationSlot {
        @inline(__always) _read { yield slots[index] }
        @inline(__always) _modify { yield &slots[index] }
    }

    private func addSlots() {
        guard let added = slots.grow({ OperationSlot(unusedAt: $0) }) else {
            preconditionFailure("at most \(operationsMax) operations are in flight at once")
        }
        for position in added.reversed() {
            slots[SlotIndex(rawValue: position)].nextFree = firstFree
            firstFree = SlotIndex(rawValue: position)
        }
    }

    /// Every slot is either in flight or on the free list, once.
    package func checkInvariants() {
        var free = 0
        var index = firstFree
        while index != .none {
            precondition(!slots[index].isInFlight, "a free slot holds no operation")
            free += 1
            precondition(free <= slots.count, "the free list has no cycle")
            index = slots[index].nextFree
        }
        precondition(free + inFlightCount == slots.count, "every slot is free or in flight")
    }
}
