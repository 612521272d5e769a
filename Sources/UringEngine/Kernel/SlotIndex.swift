/// The position of a slot in one of the loop's tables.
///
/// > Thread: Any thread.
package struct SlotIndex: Hashable, Sendable {
    /// The position, from zero.
    package let rawValue: UInt32

    /// Wraps a position.
    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// No slot: an operation that is on no descriptor, the end of a list.
    package static let none = SlotIndex(rawValue: .max)
}
