internal import CUring

/// An epoll instance, and the place that it writes events to.
///
/// Everything is watched edge-triggered: a readiness is reported once, when it begins or is added to.
///
/// > Thread: On-loop only.
/// > Ownership: It owns its descriptor and the memory; `close` gives the descriptor back.
@safe final class EpollSet {
    // Safety: `events` is allocated in init and freed in deinit; the kernel writes it during a wait
    // only, and at most `eventsMax` entries.
    private let events: UnsafeMutableRawPointer
    /// The set's own descriptor, -1 after `close`.
    private(set) var descriptor: Int32
    /// False once the kernel has said that it has no epoll_pwait2(2): older than Linux 5.11, or a
    /// seccomp profile that does not know the call.
    private var hasNanoseconds = true

    /// Events that one wait may bring; the rest stay in the kernel for the next.
    static let eventsMax = 256

    /// Opens a set.
    ///
    /// - Throws: an error of `.setUpDriver` in words.
    init() throws(IOError) {
        let result = cu_epoll_create()
        guard result >= 0 else {
            throw SetupFailure.noDescriptor(Errno(result: result), from: "epoll_create1")
        }
        descriptor = result
        unsafe events = .allocate(
            byteCount: Self.eventsMax * Int(CU_EVENT_BYTES),
            alignment: MemoryLayout<UInt64>.alignment
        )
    }

    deinit {
        close()
        unsafe events.deallocate()
    }

    /// Gives the descriptor back; nothing is watched any more.
    func close() {
        guard descriptor >= 0 else { return }
        _ = cu_close(descriptor)
        descriptor = -1
    }

    // MARK: Watching

    /// Watches a descriptor; what it is ready for now is reported too.
    ///
    /// - Returns: EPERM for a file that is always ready, ENOSPC beyond the user's limit of watches,
    ///   and others of epoll_ctl(2).
    func add(_ descriptor: Descriptor, for events: UInt32, word: UInt64) -> Errno? {
        let result = cu_epoll_add(self.descriptor, descriptor.rawValue, events, word)
        guard result == -Errno.alreadyExists.rawValue else { return Self.failure(result) }
        // Watched under a number that was closed elsewhere and came back with the same file.
        return change(descriptor, for: events, word: word)
    }

    /// Watches for more, or under another word; what it is ready for now is reported again.
    func change(_ descriptor: Descriptor, for events: UInt32, word: UInt64) -> Errno? {
        Self.failure(cu_epoll_change(self.descriptor, descriptor.rawValue, events, word))
    }

    /// Watches no longer.
    func remove(_ descriptor: Descriptor) {
        // ENOENT or EBADF: closed elsewhere, which ended the watch.
        _ = cu_epoll_remove(self.descriptor, descriptor.rawValue)
    }

    private static func failure(_ result: Int32) -> Errno? {
        result < 0 ? Errno(result: result) : nil
    }

    // MARK: Waiting

    /// Waits for a first event, at most so long; a negative number is for ever.
    ///
    /// Without epoll_pwait2(2) milliseconds are rounded up: a wait that ended early would have its
    /// loop ask again and again until the deadline.
    ///
    /// - Returns: how many events there are, or a negative errno.
    func wait(nanoseconds: Int64) -> Int32 {
        if nanoseconds > 0, hasNanoseconds {
            let result = unsafe cu_epoll_wait_within(
                descriptor,
                events,
                Int32(Self.eventsMax),
                nanoseconds
            )
            switch result < 0 ? Errno(result: result) : nil {
            case .some(.notImplemented), .some(.notPermitted): hasNanoseconds = false
            case nil, .some: return result
            }
        }
        let milliseconds = nanoseconds < 0 ? -1 : (nanoseconds &+ 999_999) / 1_000_000
        return unsafe cu_epoll_wait(
            descriptor,
            events,
            Int32(Self.eventsMax),
            Int32(clamping: milliseconds)
        )
    }

    /// What the event at `index` says of its descriptor.
    @inline(__always)
    func flags(at index: Int) -> UInt32 { unsafe cu_event_flags(events, index) }

    /// The word that its descriptor was added with.
    @inline(__always)
    func word(at index: Int) -> UInt64 { unsafe cu_event_word(events, index) }
}
