/// What a loop waits for after a step: what whoever drives it does next.
///
/// > Thread: Any thread.
public enum LoopPause: Hashable, Sendable {
    /// Nothing: there is more to do, so step again, at once or when others have had their turn.
    case none
    /// Its descriptor to be readable, or this instant.
    case until(Deadline)
    /// Its descriptor to be readable.
    case forever
    /// Somebody asked it to stop; a later step goes on all the same.
    case stopped

    /// How long the pause may last from now on, in nanoseconds; nil without an end.
    ///
    /// For a foreign loop's timeout: round it up to that loop's unit, or it turns in vain until the
    /// deadline.
    public var nanosecondsLeft: UInt64? {
        switch self {
        case .none, .stopped: return 0
        case .forever: return nil
        case .until(let deadline):
            let now = Deadline.now
            return deadline > now ? deadline.nanoseconds - now.nanoseconds : 0
        }
    }
}
