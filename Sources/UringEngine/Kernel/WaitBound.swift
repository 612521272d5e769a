/// How long a driver may wait for a first completion.
///
/// > Thread: Any thread.
package enum WaitBound: Hashable, Sendable {
    /// Not at all: work is ready.
    case poll
    /// Until this instant of the driver's clock, in nanoseconds.
    case deadline(UInt64)
    /// Until something happens.
    case forever
}
