/// What one loop is made of.
///
/// `EventLoop` refuses values that no loop can be made with, naming the field and what is accepted.
///
/// > Thread: Any thread.
public struct LoopOptions: Sendable {
    /// Whether the buffer pool's memory is locked.
    public enum MemoryLock: String, Hashable, Sendable, CaseIterable {
        /// Where it is allowed; otherwise the loop goes on unlocked and says so once.
        case auto
        /// Failing to lock is an error.
        case on
        /// Never.
        case off
    }

    /// What the loop stands on.
    public var backend = BackendChoice.auto
    /// Entries of the submission queue, a power of two up to 32,768.
    public var ringEntries = StandardSizes.ringEntries
    /// Entries of the completion queue, a power of two up to 65,536 and not below `ringEntries`.
    public var completionEntries = StandardSizes.completionEntries
    /// The size of one pool buffer, in bytes: 64 to 16,777,216.
    public var bufferBytes = StandardSizes.bufferBytes
    /// Buffers in the pool, up to 32,768.
    public var bufferCount = StandardSizes.bufferCount
    /// Whether the pool is locked into memory.
    public var memoryLock = MemoryLock.auto
    /// How long a returned buffer rests before the kernel gets it again: a debugging aid, zero for
    /// never.
    public var quarantine = Duration.zero
    /// A kernel thread polls for submissions.
    ///
    /// Opt-in: it burns a core and keeps its creator's credentials.
    public var isSubmissionPolled = false
    /// How long that thread polls before it sleeps.
    public var submissionPollIdle = Duration.seconds(1)
    /// How long the loop looks for work before it parks, instead of waiting in the kernel; zero for
    /// not at all.
    ///
    /// It saves the wake-up of a parked thread and burns the CPU that long after each piece of work.
    public var spin = Duration.zero
    /// A TCP send of as many bytes is made without a copy, where the kernel can (Linux 6.0); zero for none.
    ///
    /// Memory stays pinned until the peer has acknowledged it, and counts against RLIMIT_MEMLOCK.
    public var zeroCopyThreshold = 0
    /// The kernel keeps the timeout of a TCP connect to one address, where it can (IORING_OP_LINK_TIMEOUT, Linux
    /// 5.5), instead of a timer of the loop's.
    ///
    /// It measures no better (docs/decisions/0022).
    public var linksConnectTimeouts = false
    /// Features to do without, so that every fallback can be tested.
    public var featuresOff: Set<KernelFeature> = []
    /// Entries of the provided-buffer ring; nil for one a buffer.
    package var providedEntries: Int?
    /// Loops that share this process's RLIMIT_MEMLOCK.
    public var loopCount = 1
    /// The bounds of a tick.
    public var limits = LoopLimits()
    /// Carries out calls that block, on a thread of its own: what a kernel has no operation for, and
    /// with epoll all that is done with files.
    ///
    /// It runs what it is given exactly once, or returns false and runs it never; then the loop asks
    /// again soon. Nil: such calls fail with EOPNOTSUPP.
    public var offload: (@Sendable (_ work: @escaping @Sendable () -> Void) -> Bool)?
    /// The size of one buffer for files, in bytes: a multiple of 4,096 up to 16,777,216.
    ///
    /// A longer read gets memory of its own.
    public var fileBufferBytes = 131_072
    /// Buffers for files, made when a file is first read: up to 32,768.
    ///
    /// A read that finds none free gets memory of its own.
    public var fileBufferCount = 32
    /// The buffers for files are registered with the ring (docs/decisions/0014).
    public var usesFixedBuffers = true
    /// Open files are registered with the ring (docs/decisions/0015).
    public var registersFiles = false
    /// Takes one line for a person.
    ///
    /// Called seldom, on the loop's thread.
    public var log: @Sendable (String) -> Void = { _ in }

    /// The defaults.
    public init() {}

    /// The shape of the pool, with the lock wish resolved.
    package var pool: BufferPoolOptions {
        BufferPoolOptions(
            bufferBytes: bufferBytes,
            bufferCount: bufferCount,
            isLockWanted: memoryLock != .off
        )
    }
}
