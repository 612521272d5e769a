/// An operation that waits for its descriptor, kept in the slot that its token names.
///
/// > Thread: On-loop only.
/// > Ownership: It borrows what `memory` points to, from the operation's begin to its terminal
/// > completion.
@safe struct WaitingOperation {
    // Safety: see Ownership; the seam asks for it (KernelDriver).
    /// The operation's token, or `idle`.
    var token = Self.idle
    /// The next that waits on the same side of the descriptor.
    var next = SlotIndex.none
    /// On what it waits.
    var descriptor = Descriptor(rawValue: -1)
    /// The bytes of a send, the header of a message, the address of a connect.
    var memory: UnsafeRawPointer?
    /// What may still be received, or is to be discarded or sent.
    var byteCount = 0
    /// What a poll asks for, as in poll(2).
    var events: UInt32 = 0
    /// It stays after its first completion.
    var isMultishot = false
    /// It sends a message of several runs.
    var isMessage = false

    /// Nobody's token: it carries no kind.
    static let idle = OperationToken(rawValue: 0)
}
