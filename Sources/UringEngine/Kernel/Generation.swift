/// How often a slot has been reused: 24 bits, so that a stale completion does not match a later
/// owner of its slot.
///
/// Sixteen bits wrapped in 0.255 s on one descriptor number; 24 bits on one slot take at least 16.7
/// million reuses while one old completion is still outstanding, and a slot is reused only after
/// its terminal completion.
///
/// > Thread: Any thread.
package struct Generation: Hashable, Sendable {
    /// The lowest 24 bits are used.
    package let rawValue: UInt32

    /// The bits that count: all that a token has room for, but in a tiny build.
    package static let mask: UInt32 = (1 << StandardSizes.generationBits) - 1

    /// Wraps a counter; bits above 24 are cut.
    package init(rawValue: UInt32) {
        self.rawValue = rawValue & Self.mask
    }

    /// The generation of a slot's first use.
    package static let first = Generation(rawValue: 0)

    /// The generation of the slot's next use.
    package var next: Generation { Generation(rawValue: rawValue &+ 1) }
}
