/// What goes wrong in a simulation, and how often: times in a thousand chances.
///
/// All of it is what a kernel or a network may do to a correct server at any time. By default each
/// seed draws its own set, so that rare things meet each other in some seeds and are absent in
/// others.
///
/// > Thread: Any thread.
public struct SimulationFaults: Hashable, Sendable {
    /// A receive hands over fewer bytes than have come.
    public var shortReads = 0
    /// A send takes fewer bytes than there is room for, and ends.
    public var shortSends = 0
    /// A multishot operation ends although it might go on.
    public var endedMultishots = 0
    /// An operation fails with EAGAIN, EINTR, or for a send ENOBUFS, and may be asked again.
    public var retries = 0
    /// An accept fails with ECONNABORTED.
    public var acceptErrors = 0
    /// A connection is reset by the network: both ends see ECONNRESET.
    ///
    /// No seed draws it: only a test that expects lost connections sets it.
    public var resets = 0
    /// A connect is refused although somebody listens.
    ///
    /// No seed draws it.
    public var refusedConnects = 0
    /// A connect is never answered, and fails with ETIMEDOUT after two minutes.
    ///
    /// No seed draws it.
    public var lostConnects = 0
    /// A datagram between hosts never arrives.
    ///
    /// No seed draws it: a test that sets it expects loss.
    public var lostDatagrams = 0
    /// A datagram between hosts arrives twice.
    ///
    /// No seed draws it.
    public var doubledDatagrams = 0
    /// A datagram between hosts may overtake those before it, or be overtaken.
    ///
    /// No seed draws it.
    public var overtakenDatagrams = 0
    /// A request of an open file fails with EIO.
    ///
    /// No seed draws it.
    public var fileErrors = 0
    /// A write finds no room on the device: ENOSPC.
    ///
    /// No seed draws it.
    public var fullDevices = 0
    /// A waiting shard wakes for nothing.
    public var spuriousWakeups = 0
    /// Something takes long: up to `longDelay` instead of microseconds.
    public var delays = 0
    /// What long means.
    public var longDelay = Duration.milliseconds(50)

    /// Nothing goes wrong.
    public init() {}

    /// Draws a set, as a simulation does by default.
    public init(seed: UInt64) {
        var random = SimulationRandom(seed: seed &+ 0x51ED_270B)
        let rates = [0, 0, 5, 40, 200]
        shortReads = random.pick([0, 100, 500, 900])
        shortSends = random.pick(rates)
        endedMultishots = random.pick([0, 5, 100, 500])
        retries = random.pick(rates)
        acceptErrors = random.pick(rates)
        spuriousWakeups = random.pick(rates)
        delays = random.pick(rates)
    }
}
