internal import CUring

/// An instant of the monotonic clock, in nanoseconds.
///
/// The clock stops while the machine is suspended. No arithmetic on it traps or wraps: what lies
/// beyond `distantFuture` is `distantFuture`.
///
/// > Thread: Any thread.
public struct Deadline: Hashable, Sendable {
    /// Nanoseconds of the clock, at most `Int64.max`, so that every deadline fits a signed 64-bit
    /// time.
    public let nanoseconds: UInt64

    /// An instant of the clock.
    ///
    /// - Parameter nanoseconds: Clamped to `distantFuture`.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = min(nanoseconds, UInt64(Int64.max))
    }

    /// An instant that is never reached: 292 years after the clock's zero.
    public static let distantFuture = Deadline(nanoseconds: .max)

    /// This instant, read from the clock.
    public static var now: Deadline { Deadline(nanoseconds: reading) }

    /// The clock that holds on this thread: inside of a simulation its own.
    private static var reading: UInt64 {
        // Safety: the simulation takes the pointer away before its clock ends.
        guard let simulated = unsafe cu_simulated_clock() else {
            return MonotonicClock.nanoseconds()
        }
        return unsafe simulated.pointee
    }

    /// The instant `duration` after the clock reading `nowNanoseconds`.
    ///
    /// - Parameters:
    ///   - duration: A negative one counts as zero; one that leads too far gives `distantFuture`.
    ///   - nowNanoseconds: A reading of the clock, so that a loop reads it once a tick; a virtual
    ///     clock's reading serves too.
    /// - Returns: An instant from `nowNanoseconds` to `distantFuture`.
    public static func after(_ duration: Duration, from nowNanoseconds: UInt64) -> Deadline {
        let (sum, overflow) = nowNanoseconds.addingReportingOverflow(duration.clampedNanoseconds)
        return overflow ? .distantFuture : Deadline(nanoseconds: sum)
    }

    /// The instant `duration` from now, read from the clock.
    ///
    /// - Parameter duration: As of `after(_:from:)`.
    /// - Returns: An instant from now to `distantFuture`.
    public static func after(_ duration: Duration) -> Deadline {
        after(duration, from: reading)
    }
}

extension Deadline: Comparable {
    /// Whether `left` is the earlier one.
    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
