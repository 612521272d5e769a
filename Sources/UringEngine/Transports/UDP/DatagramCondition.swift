/// What keeps an endpoint off the fast path.
///
/// Empty, it is open and nothing is paused or queued.
///
/// > Thread: On-loop only.
struct DatagramCondition: TransportCondition {
    let rawValue: UInt8

    /// `close` was called.
    static let flushing = DatagramCondition(rawValue: 1)
    /// The descriptor is being reaped.
    static let ending = DatagramCondition(rawValue: 2)
    /// `connectionLost` was queued or called.
    static let lost = DatagramCondition(rawValue: 4)
    /// The user paused reading.
    static let readingPaused = DatagramCondition(rawValue: 8)
    /// Parked datagrams will be delivered by a job: what comes now must queue behind them.
    static let deliveryScheduled = DatagramCondition(rawValue: 16)
    /// The user was told to stop sending.
    static let writingPaused = DatagramCondition(rawValue: 32)
    /// There was no room for a datagram: none is tried before a timer says so.
    static let sendPaused = DatagramCondition(rawValue: 64)
    /// The kernel had no memory for a receive: none is armed before a timer says so.
    static let receivePaused = DatagramCondition(rawValue: 128)
}

extension DatagramTransport {
    var phase: TransportPhase {
        get { condition.phase }
        set { condition.phase = newValue }
    }

    var isReadingPaused: Bool { condition.contains(.readingPaused) }
}
