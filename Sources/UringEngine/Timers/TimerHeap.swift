/// The timers of one loop, ordered by (deadline, order of adding): equal deadlines fire first-in
/// first-out.
///
/// A struct without copies, so that exclusive access is proven by the compiler inside it; its owner
/// pays at most one check a call. A payload stays in its slot while the order's small entries move.
///
/// > Thread: On-loop only.
/// > Ownership: Holds each payload from `add` until it is handed out by `cancel`, `popDue` or
///   `removeAll`. All three return it instead of dropping it, so that what its deinit calls finds
///   the heap consistent and not in use.
package struct TimerHeap<Payload>: ~Copyable {
    private var order = TimerOrder()
    private var payloads: [Payload?] = []
    private var freeSlots: [SlotIndex] = []
    private var nextSequence: UInt64 = 0

    /// Makes an empty heap; allocates nothing.
    package init() {}

    /// How many timers are pending.
    package var count: Int { order.count }

    /// Whether none is pending.
    package var isEmpty: Bool { order.count == 0 }

    /// When the next timer is due, in nanoseconds of the loop's clock; nil when none is pending.
    package var nextDeadline: UInt64? { order.first?.deadline }

    /// Adds a timer that is due once the clock has reached `deadline`.
    ///
    /// The memory of the most timers that were ever pending is kept for the next peak, until
    /// `removeAll`.
    ///
    /// - Parameters:
    ///   - deadline: Nanoseconds of the loop's clock; one in the past is due at once, behind those
    ///     that are due longer.
    ///   - payload: What `popDue` hands out.
    /// - Returns: The name to cancel it by.
    /// - Precondition: Fewer than 2^32 - 1 timers are pending.
    /// - Complexity: O(log n); O(1) on average when later timers fire later.
    package mutating func add(deadline: UInt64, payload: consuming Payload) -> TimerID {
        let id = TimerID(slot: takeSlot(for: payload), sequence: nextSequence)
        nextSequence &+= 1
        order.insert(TimerEntry(deadline: deadline, sequence: id.sequence, slot: id.slot))
        return id
    }

    /// Removes a timer.
    ///
    /// - Returns: Its payload; nil when it has fired, was cancelled, or was never of this heap.
    /// - Complexity: O(log n); O(1) on average.
    package mutating func cancel(_ id: TimerID) -> Payload? {
        guard order.contains(id) else { return nil }
        order.remove(id)
        return emptySlot(id.slot)
    }

    /// Removes the next timer if it is due.
    ///
    /// A timer that is added meanwhile with a deadline of at most `now` is due too: the caller
    /// limits how many it pops.
    ///
    /// - Parameter now: Nanoseconds of the loop's clock.
    /// - Returns: Its payload; nil when no timer has a deadline of at most `now`.
    /// - Complexity: O(log n).
    package mutating func popDue(now: UInt64) -> Payload? {
        guard let first = order.first, first.deadline <= now else { return nil }
        order.removeFirst()
        return emptySlot(first.slot)
    }

    /// Removes all timers and gives the memory back.
    ///
    /// IDs from before stay stale.
    ///
    /// - Returns: The payloads, in no particular order.
    @discardableResult
    package mutating func removeAll() -> [Payload] {
        let removed = payloads.compactMap { $0 }
        order.removeAll()
        payloads = []
        freeSlots = []
        return removed
    }

    private mutating func takeSlot(for payload: consuming Payload) -> SlotIndex {
        if let slot = freeSlots.popLast() {
            payloads[Int(slot.rawValue)] = payload
            return slot
        }
        precondition(payloads.count < Int(SlotIndex.none.rawValue), "a slot's index has 32 bits")
        payloads.append(payload)
        return SlotIndex(rawValue: UInt32(truncatingIfNeeded: payloads.count &- 1))
    }

    private mutating func emptySlot(_ slot: SlotIndex) -> Payload {
        freeSlots.append(slot)
        guard let payload = payloads[Int(slot.rawValue)].take() else {
            preconditionFailure("the slot of a pending timer has a payload")
        }
        return payload
    }

    /// Traps unless the order is a heap and each slot either has an entry and a payload, or is free
    /// and has neither.
    package func checkInvariants() {
        order.checkInvariants()
        let filled = payloads.count { $0 != nil }
        precondition(filled == order.count, "each pending timer has a payload")
        precondition(freeSlots.count == payloads.count - filled, "each other slot is free")
        precondition(Set(freeSlots).count == freeSlots.count, "no slot is free twice")
        let emptied = freeSlots.allSatisfy { payloads[Int($0.rawValue)] == nil }
        precondition(emptied, "a free slot holds no payload")
    }
}
