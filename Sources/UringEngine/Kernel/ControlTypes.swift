internal import CUring
internal import Glibc

/// Readiness of a descriptor, as in poll(2).
///
/// > Thread: Any thread.
package struct PollEvents: OptionSet, Hashable, Sendable {
    /// The bits of `struct pollfd`.
    package let rawValue: UInt32

    /// Wraps the bits.
    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// There is something to read.
    package static let readable = PollEvents(rawValue: UInt32(POLLIN))
    /// Writing will not block.
    package static let writable = PollEvents(rawValue: UInt32(POLLOUT))
    /// The peer closed.
    package static let hungUp = PollEvents(rawValue: UInt32(POLLHUP))
    /// An error is pending.
    package static let failed = PollEvents(rawValue: UInt32(POLLERR))
}

/// Which direction of a socket to end.
///
/// > Thread: Any thread.
package enum ShutdownDirection: Sendable {
    /// No more bytes go out: the peer sees the end of the stream.
    case output
    /// Neither direction works any more.
    case both
}

/// What is still on its way to the peer.
///
/// > Thread: Any thread.
package struct OutputState: Hashable, Sendable {
    /// Bytes that the peer has not acknowledged, or nil where the kernel does not tell.
    package let unacknowledgedBytes: Int?
    /// Bytes acknowledged since the connection began, or nil where the kernel does not tell.
    package let acknowledgedBytes: UInt64?

    /// Describes an output queue.
    package init(unacknowledgedBytes: Int?, acknowledgedBytes: UInt64?) {
        self.unacknowledgedBytes = unacknowledgedBytes
        self.acknowledgedBytes = acknowledgedBytes
    }
}

/// What a driver counts.
///
/// Plain numbers, written by the loop's thread alone.
///
/// > Thread: On-loop only.
package struct DriverMetrics: Hashable, Sendable {
    /// System calls that submitted or waited.
    package var enters: UInt64 = 0
    /// Operations handed over.
    package var submissions: UInt64 = 0
    /// Completions copied out.
    package var completions: UInt64 = 0
    /// Times that the completion queue was found overflown.
    package var overflows: UInt64 = 0
    /// Times that the submission queue was full and was handed over early.
    package var submissionQueueFull: UInt64 = 0
    /// Completions of the waker.
    package var wakes: UInt64 = 0

    /// Starts at zero.
    package init() {}
}
