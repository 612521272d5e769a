/// The name of one timer: its slot, and which use of the slot it is.
///
/// The generation is the timer's sequence number, 64 bits wide. A slot's own counter of 24 bits
/// would wrap: a program may keep the ID of a timer that fired long ago, and nothing stops the slot
/// from being used again in the meantime.
///
/// > Thread: Any thread may hold one; only the loop that made it can use it.
package struct TimerID: Hashable, Sendable {
    /// Where the timer's payload is.
    package let slot: SlotIndex
    /// The number of the timer among all that its heap ever had.
    package let sequence: UInt64

    /// Names a timer.
    package init(slot: SlotIndex, sequence: UInt64) {
        self.slot = slot
        self.sequence = sequence
    }
}
