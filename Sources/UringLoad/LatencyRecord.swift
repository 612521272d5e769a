internal import Histogram

/// Latencies in nanoseconds, to three digits, in memory that does not grow.
///
/// > Thread: On-loop only while it is filled.
package struct LatencyRecord: Sendable {
    /// A day and more than the longest run and drain; what is longer counts as this.
    private static let nanosecondsMax: UInt64 = 100_000_000_000_000

    private var histogram = Histogram<UInt64>(highestTrackableValue: nanosecondsMax)

    /// Makes an empty one.
    package init() {}

    /// How many there are.
    package var count: UInt64 { histogram.totalCount }

    /// The longest; 0 when there is none.
    package var longest: UInt64 { histogram.maxRecorded }

    /// Adds one.
    @inline(__always)
    mutating func add(_ nanoseconds: UInt64) {
        histogram.record(min(nanoseconds, Self.nanosecondsMax))
    }

    /// Adds all of another.
    mutating func add(_ other: LatencyRecord) {
        histogram.add(other.histogram)
    }

    /// What `percent` of them do not exceed; 0 when there is none.
    package func percentile(_ percent: Double) -> UInt64 {
        histogram.totalCount == 0 ? 0 : histogram.valueAtPercentile(percent)
    }
}
