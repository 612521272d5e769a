/// Where a stream or an endpoint is in its life.
///
/// It only moves down this list.
///
/// > Thread: Any thread.
enum TransportPhase {
    case open
    /// `close` was called: nothing new is sent or delivered; it ends when the queue is empty.
    case flushing
    /// The descriptor is being reaped; `connectionLost` comes after it.
    case ending
    /// `connectionLost` was queued or called.
    case lost
}

/// What keeps a transport off the fast path; among it, where in its life the transport is.
///
/// > Thread: On-loop only.
protocol TransportCondition: OptionSet where Element == Self {
    /// `close` was called.
    static var flushing: Self { get }
    /// The descriptor is being reaped.
    static var ending: Self { get }
    /// `connectionLost` was queued or called.
    static var lost: Self { get }
}

extension TransportCondition {
    /// Where the transport is in its life; a transport does not open again.
    @inline(__always)
    var phase: TransportPhase {
        get {
            if contains(.lost) { return .lost }
            if contains(.ending) { return .ending }
            return contains(.flushing) ? .flushing : .open
        }
        set {
            switch newValue {
            case .open: preconditionFailure("a transport does not open again")
            case .flushing: insert(.flushing)
            case .ending: insert(.ending)
            case .lost: insert(.lost)
            }
        }
    }
}
