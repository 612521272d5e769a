internal import CUring
internal import Glibc

/// The clock of every deadline: CLOCK_MONOTONIC in nanoseconds.
///
/// It stops while the machine is suspended.
///
/// > Thread: Any thread.
package enum MonotonicClock {
    /// Reads the clock (clock_gettime(2), answered by the vDSO).
    package static func nanoseconds() -> UInt64 {
        var reading = timespec()
        // Safety: the kernel writes `reading` during the call and keeps no pointer to it.
        unsafe clock_gettime(CLOCK_MONOTONIC, &reading)
        return UInt64(reading.tv_sec) &* 1_000_000_000 &+ UInt64(reading.tv_nsec)
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to 0 … `Int64.max` (292 years): a deadline is never in the past
    /// by overflow.
    package var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || overflowed ? UInt64(Int64.max) : UInt64(sum)
    }
}
