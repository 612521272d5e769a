/// One slot per descriptor: its state, its owner, and the operations in flight on it.
///
/// A descriptor is closed only when nothing is in flight on it: close(2) with an operation armed
/// sends no FIN and completes nothing, and the number would be reused under the kernel's feet.
///
/// > Thread: On-loop only.
package final class DescriptorTable {
    // Exclusivity: nothing called from here comes back, so the run-time check would find nothing
    // (docs/decisions/0003).
    // Safety: the vars marked for it are the loop thread's alone.
    private let slots: SlotSlab<Slot>
    @safe @exclusivity(unchecked) private var firstFree = SlotIndex.none
    /// Descriptors in the table.
    @safe @exclusivity(unchecked) package private(set) var count = 0

    /// One descriptor's slot.
    @safe package struct Slot {
        // Safety: the reference is counted by hand, so that a completion costs no reference count:
        // taken by `adopt` and `handOver`, given back by `handOver` and `release`.
        /// The descriptor.
        package var descriptor = Descriptor(rawValue: -1)
        /// Where it is in its life.
        package var state = DescriptorState.free
        /// Operations begun on it and not ended.
        package var inFlightCount: UInt32 = 0
        /// Who gets the completions, held by the table.
        var ownerReference: Unmanaged<DescriptorOwner>?
        /// Who gets the completions.
        package var owner: DescriptorOwner? { unsafe ownerReference?.takeUnretainedValue() }
        /// The next free slot.
        package var nextFree = SlotIndex.none
    }

    /// Makes room for at most `descriptorsMax` descriptors; memory grows with use.
    ///
    /// - Throws: an error of `.mapMemory`.
    package init(descriptorsMax: Int) throws(IOError) {
        self.slots = try SlotSlab(slotsMax: descriptorsMax)
    }

    deinit {
        visitAll { unsafe slots[$0].ownerReference?.release() }
    }

    /// Takes a descriptor into the table, with its owner.
    ///
    /// Precondition: fewer than `descriptorsMax` are in the table (the process limit is reached
    /// first).
    package func adopt(_ descriptor: Descriptor, owner: DescriptorOwner) -> SlotIndex {
        if firstFree == .none { addSlots() }
        let index = firstFree
        firstFree = slots[index].nextFree
        slots[index] = unsafe Slot(
            descriptor: descriptor,
            state: .open,
            ownerReference: .passRetained(owner)
        )
        owner.slot = index
        count += 1
        return index
    }

    /// Gives the descriptor a new owner; completions go there from now on.
    package func handOver(_ index: SlotIndex, to owner: DescriptorOwner) {
        precondition(slots[index].state == .open, "only an open descriptor changes its owner")
        let former = unsafe slots[index].ownerReference
        unsafe slots[index].ownerReference = .passRetained(owner)
        owner.slot = index
        guard let former = unsafe former?.takeRetainedValue() else { return }
        former.slot = .none
    }

    /// Frees a slot whose descriptor was closed.
    package func release(_ index: SlotIndex) {
        precondition(slots[index].inFlightCount == 0, "a slot is freed when nothing is in flight")
        precondition(slots[index].state != .free, "a slot is freed once")
        let owner = unsafe slots[index].ownerReference
        slots[index] = unsafe Slot(nextFree: firstFree)
        firstFree = index
        count -= 1
        unsafe owner?.release()
    }

    /// Moves a descriptor to `reaping`; a reset already asked for stays one.
    ///
    /// - Returns: false when it was on its way already.
    package func beginReaping(_ index: SlotIndex, mode: CloseMode) -> Bool {
        switch slots[index].state {
        case .open:
            slots[index].state = .reaping(mode)
            return true
        case .reaping(let earlier):
            if earlier == .orderly, mode == .reset { slots[index].state = .reaping(.reset) }
            return false
        case .free:
            preconditionFailure("a free slot has nothing to reap")
        }
    }

    /// Where a slot lies.
    ///
    /// Safety: valid as long as the table; its contents change when the descriptor is closed.
    @inline(__always)
    func address(of index: SlotIndex) -> UnsafeMutablePointer<Slot> {
        unsafe slots.address(of: index)
    }

    /// The slot at `index`.
    package subscript(index: SlotIndex) -> Slot {
        @inline(__always) _read { yield slots[index] }
        @inline(__always) _modify { yield &slots[index] }
    }

    /// Whether somebody here has a descriptor, apart from those who have let go of it and wait for the
    /// kernel alone; it looks at every slot.
    package func holds(_ descriptor: Descriptor) -> Bool {
        var isHeld = false
        visitAll { index in
            let slot = slots[index]
            if slot.descriptor == descriptor, slot.state != .reaping(.wasLetGo) { isHeld = true }
        }
        return isHeld
    }

    /// Calls `visit` for every slot in use.
    ///
    /// `visit` may begin closes, and must not add descriptors.
    package func visitAll(_ visit: (SlotIndex) -> Void) {
        for position in 0..<UInt32(slots.count) {
            let index = SlotIndex(rawValue: position)
            if slots[index].state != .free { visit(index) }
        }
    }

    private func addSlots() {
        guard let added = slots.grow({ _ in Slot() }) else {
            preconditionFailure("the table holds every descriptor that a process may open")
        }
        for position in added.reversed() {
            slots[SlotIndex(rawValue: position)].nextFree = firstFree
            firstFree = SlotIndex(rawValue: position)
        }
    }

    /// Used and free slots add up; a used one has an owner.
    package func checkInvariants() {
        var free = 0
        var index = firstFree
        while index != .none {
            precondition(slots[index].state == .free, "the free list holds free slots")
            free += 1
            precondition(free <= slots.count, "the free list has no cycle")
            index = slots[index].nextFree
        }
        precondition(free + count == slots.count, "every slot is free or in use")
        visitAll { index in
            precondition(slots[index].owner != nil, "a slot in use has an owner")
        }
    }
}
