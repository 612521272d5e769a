/// Who owns a descriptor slot and gets its completions: transports, listeners, connectors.
///
/// A class and not a protocol: the table holds one word for it, and a call costs one indirection
/// (the completion path is gated in user instructions, see docs/BENCHMARKS.md).
///
/// > Thread: On-loop only.
public class DescriptorOwner {
    // Safety: exclusivity is unchecked for what the loop's thread alone touches, several times a
    // completion, and never lends out (docs/decisions/0003).
    /// The slot it owns; `.none` before the table adopted it and after the close.
    @safe @exclusivity(unchecked) package final var slot = SlotIndex.none
    /// It waits in the loop's flush list.
    @safe @exclusivity(unchecked) package final var isDirty = false
    /// It waits in the loop's list of those without buffers.
    @safe @exclusivity(unchecked) package final var isStarved = false

    /// Starts without a descriptor.
    package init() {}

    /// One of its operations completed, the cancels that the loop began for it included.
    ///
    /// The operation is already ended when the completion is terminal.
    package func operationCompleted(_ completion: Completion) {
        preconditionFailure("an owner that begins operations handles their completions")
    }

    /// The operations it began that may still be in flight: these are cancelled when the descriptor
    /// ends.
    ///
    /// A token whose operation has ended does no harm.
    ///
    /// The owners keep them, since a list through the operation slots cost every request ten
    /// instructions.
    package var operationTokens: [OperationToken] { [] }

    /// Nothing is in flight any more and the descriptor is closed.
    ///
    /// The table forgets the owner after this call.
    package func descriptorClosed() {}

    /// The flush phase asks for queued output, once per mark.
    package func flush() {}

    /// Buffers are back: a receive that ended for want of them may be armed again, for so many bytes.
    package func buffersAvailable(_ shareBytes: Int) {}

    /// A descriptor or a place below the connection limit is free: an accept that paused may go on.
    package func placeFree() {}

    /// The loop is going away: end, with RST where there is a peer.
    package func endForShutdown() {}

    /// The loop drains: finish what is under way, take nothing new.
    package func drain() {}
}
