/// What keeps a stream off the fast path.
///
/// Empty, it is open and nothing is paused or wanted: then received bytes are delivered and writes
/// queued after a single comparison.
///
/// > Thread: On-loop only.
struct StreamCondition: TransportCondition {
    let rawValue: UInt16

    /// `close` was called.
    static let flushing = StreamCondition(rawValue: 1)
    /// The descriptor is being reaped.
    static let ending = StreamCondition(rawValue: 2)
    /// `connectionLost` was queued or called.
    static let lost = StreamCondition(rawValue: 4)
    /// The user paused reading.
    static let readingPaused = StreamCondition(rawValue: 8)
    /// Parked input will be delivered by a job: what comes now must queue behind it.
    static let deliveryScheduled = StreamCondition(rawValue: 16)
    /// `writeEOF` was called.
    static let eofWanted = StreamCondition(rawValue: 32)
    /// The user was told to stop writing.
    static let writingPaused = StreamCondition(rawValue: 64)
    /// The kernel had no room for a send: none is tried before a timer says so.
    static let sendPaused = StreamCondition(rawValue: 128)
    /// It is no socket, and has operations of its own.
    static let piped = StreamCondition(rawValue: 256)
    /// It is an end that can only be read.
    static let inputOnly = StreamCondition(rawValue: 512)
    /// It is an end that can only be written.
    static let outputOnly = StreamCondition(rawValue: 1_024)
}

extension StreamTransport {
    var phase: TransportPhase {
        get { condition.phase }
        set { condition.phase = newValue }
    }

    var isReadingPaused: Bool {
        get { condition.contains(.readingPaused) }
        set { set(.readingPaused, newValue) }
    }

    var isDeliveryScheduled: Bool {
        get { condition.contains(.deliveryScheduled) }
        set { set(.deliveryScheduled, newValue) }
    }

    var isEOFWanted: Bool {
        get { condition.contains(.eofWanted) }
        set { set(.eofWanted, newValue) }
    }

    var isWritingPaused: Bool {
        get { condition.contains(.writingPaused) }
        set { set(.writingPaused, newValue) }
    }

    private func set(_ flag: StreamCondition, _ isOn: Bool) {
        if isOn {
            condition.insert(flag)
        } else {
            condition.remove(flag)
        }
    }
}
