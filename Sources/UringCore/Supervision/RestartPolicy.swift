/// How often a shard's handler that threw is called again.
///
/// A handler that throws before it served anything is not called again: what keeps it from starting
/// (an address in use, say) ends the run. A Swift trap ends the process, whatever this says.
///
/// > Thread: Any thread.
public struct RestartPolicy: Hashable, Sendable {
    /// Restarts in a row; with one more the run ends.
    ///
    /// Zero: none.
    public var restartsMax = 5
    /// How long the first restart waits; each following one twice as long.
    public var delay = Duration.milliseconds(100)
    /// The longest wait.
    public var delayMax = Duration.seconds(5)
    /// A handler that ran this long begins a new row.
    public var calm = Duration.seconds(60)

    /// The defaults.
    public init() {}

    /// How long the restart with this number, from zero, waits.
    func delay(before restart: Int) -> Duration {
        let factor = 1 << min(max(restart, 0), 30)
        return min(delay * factor, delayMax)
    }
}
