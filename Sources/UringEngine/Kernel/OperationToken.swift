/// The name of one operation in flight: `generation 24 | kind 8 | slot 32`, the `user_data` of
/// io_uring.
///
/// A descriptor number cannot name an operation (two reads of one file, an open); a slot and its
/// generation can.
///
/// > Thread: Any thread.
package struct OperationToken: Hashable, Sendable {
    /// The packed word.
    package let rawValue: UInt64

    /// Takes a word as the kernel hands it back.
    ///
    /// Any word is accepted; `kind` tells whether it can be ours.
    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Packs the three parts.
    package init(generation: Generation, kind: OperationKind, slot: SlotIndex) {
        let high = UInt64(generation.rawValue) << 40
        self.rawValue = high | UInt64(kind.rawValue) << 32 | UInt64(slot.rawValue)
    }

    /// The token of a slot's first use, still without a kind.
    package init(unusedAt slot: SlotIndex) {
        self.rawValue = UInt64(slot.rawValue)
    }

    /// The same slot and generation, with the kind of the operation that takes it.
    @inline(__always)
    package func with(_ kind: OperationKind) -> OperationToken {
        OperationToken(rawValue: rawValue | UInt64(kind.rawValue) << 32)
    }

    /// The slot's next use: one generation on, the kind left as it is.
    ///
    /// The generation wraps at 24 bits.
    @inline(__always)
    package var next: OperationToken {
        let word = rawValue &+ 1 << 40
        #if URINGCORE_TINY
        // Generations are short there.
        return OperationToken(rawValue: word & (UInt64(Generation.mask) << 40 | 0xFF_FFFF_FFFF))
        #else
        return OperationToken(rawValue: word)
        #endif
    }

    /// How often the slot had been used before.
    package var generation: Generation { Generation(rawValue: UInt32(rawValue >> 40)) }

    /// The operation's kind; nil for a word that no operation was given.
    package var kind: OperationKind? {
        OperationKind(rawValue: UInt8(truncatingIfNeeded: rawValue >> 32))
    }

    /// The token names an operation of this kind: one byte is compared, where `kind` searches
    /// through all.
    @inline(__always)
    package func hasKind(_ kind: OperationKind) -> Bool {
        UInt8(truncatingIfNeeded: rawValue >> 32) == kind.rawValue
    }

    /// The operation's slot.
    package var slot: SlotIndex { SlotIndex(rawValue: UInt32(truncatingIfNeeded: rawValue)) }
}
