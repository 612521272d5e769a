/// The descriptors that have something to do, first come first served: a list through their slots.
///
/// > Thread: On-loop only.
struct ReadyDescriptors {
    private var first = SlotIndex.none
    private var last = SlotIndex.none
    /// How many there are.
    private(set) var count = 0

    /// Puts one behind the last, unless it is in the list.
    @inline(__always)
    mutating func append(_ index: SlotIndex, in slots: borrowing SlotSlab<WatchedDescriptor>) {
        // Safety: slots keep their addresses; the list holds numbers of slots that exist.
        let slot = unsafe slots.address(of: index)
        guard unsafe !slot.pointee.state.contains(.queued) else { return }
        unsafe slot.pointee.state.insert(.queued)
        unsafe slot.pointee.nextReady = .none
        if last == .none {
            first = index
        } else {
            unsafe slots.address(of: last).pointee.nextReady = index
        }
        last = index
        count &+= 1
    }

    /// Takes the first; nil when there is none.
    @inline(__always)
    mutating func popFirst(from slots: borrowing SlotSlab<WatchedDescriptor>) -> SlotIndex? {
        guard first != .none else { return nil }
        let index = first
        // Safety: as above.
        let slot = unsafe slots.address(of: index)
        unsafe slot.pointee.state.remove(.queued)
        first = unsafe slot.pointee.nextReady
        if first == .none { last = .none }
        count &-= 1
        return index
    }
}
