/// How one stream behaves.
///
/// Every limit says what happens when it is reached.
///
/// > Thread: Any thread.
public struct StreamOptions: Hashable, Sendable {
    /// Bytes waiting to be sent, as pinned memory, above which `pauseWriting` is called.
    public var writeHighWatermark = StandardSizes.writeHighWatermark
    /// Bytes waiting to be sent at or below which `resumeWriting` is called.
    public var writeLowWatermark = StandardSizes.writeLowWatermark
    /// How long a close waits for the peer to take what was written, without any progress, before
    /// it resets; a Unix socket, which knows no reset, is closed then.
    public var flushTimeout = Duration.seconds(30)
    /// How long a close waits in all for the peer to take what was written, however slowly; then it
    /// resets.
    ///
    /// Without it a peer that takes a byte now and then would hold its descriptor for ever. What the
    /// watermarks and the kernel's own buffer let pile up, about 4 MiB, is taken in this time at
    /// 7 KB/s.
    public var closeTimeout = Duration.seconds(600)
    /// How long a close waits for the peer's end after everything was taken, discarding what still
    /// comes; TCP only.
    public var lingerTimeout = Duration.seconds(2)
    /// How much a close discards after everything was taken; TCP only.
    public var lingerBytesMax = 262_144
    /// Small writes go out at once (TCP_NODELAY); a Unix socket never holds them back.
    public var isNoDelay = true

    /// The defaults.
    public init() {}
}
