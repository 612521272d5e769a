/// What the loop keeps of one operation until its terminal completion.
///
/// > Thread: On-loop only.
package struct OperationSlot {
    /// The token while the operation is in flight, otherwise a word that is nobody's: one
    /// comparison tells whose completion it is.
    var liveToken: UInt64
    /// The next use's token, still without its kind: it holds the generation and the slot's own
    /// index.
    var nextToken: OperationToken
    /// The late-read arguments lent to it, or nil.
    package var scratch: ScratchHandle?
    /// The descriptor it is on, or `.none`.
    package var descriptorSlot: SlotIndex
    /// In a free slot: the next free one.
    package var nextFree: SlotIndex

    /// A slot that was never used.
    init(unusedAt index: SlotIndex) {
        self.liveToken = Self.idle(index)
        self.nextToken = OperationToken(unusedAt: index)
        self.scratch = nil
        self.descriptorSlot = .none
        self.nextFree = .none
    }

    /// Between its submission and its terminal completion.
    package var isInFlight: Bool { liveToken != Self.idle(nextToken.slot) }

    /// What stands for no token in the slot at `index`: a word whose own slot is another, whatever
    /// number of low bits is looked at.
    @inline(__always)
    static func idle(_ index: SlotIndex) -> UInt64 { UInt64(~index.rawValue) }

    /// The operation's token.
    ///
    /// Precondition: it is in flight.
    package var token: OperationToken { OperationToken(rawValue: liveToken) }
}
