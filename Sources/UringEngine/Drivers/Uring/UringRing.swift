internal import CUring

/// One io_uring instance: the shared words, the entries, and `io_uring_enter(2)`.
///
/// liburing keeps pointers into `struct io_uring`, so it lives at one heap address from set-up to
/// `deinit`. NO_SQARRAY is never asked for: liburing 2.3 would write its index array over the
/// ring's header.
///
/// > Thread: On-loop only.
/// > Ownership: It owns the ring's descriptor and mappings; `close` gives them back, `deinit` the
/// > structure.
@safe final class UringRing {
    // Safety: `raw` and `idleWords` are allocated in init and freed in deinit. After `close` every
    // shared-word pointer in `raw` leads to `idleWords`, so that a late call finds an empty ring
    // instead of unmapped memory.
    let raw: UnsafeMutablePointer<io_uring>
    private let idleWords: UnsafeMutablePointer<UInt32>
    /// What the kernel said it can do (IORING_FEAT_*).
    let features: UInt32
    /// The rung it was made on.
    let rung: SetupRung
    /// The sizes as the kernel chose them.
    let sizes: RingSizes
    /// Added to every wait: NO_IOWAIT where it is to be used.
    var waitFlags: UInt32 = 0
    private(set) var isClosed = false

    /// Makes a ring on exactly one rung.
    ///
    /// - Throws: an error of `.setUpRing` with the errno of io_uring_setup(2) or of the mapping,
    ///   without words.
    init(rung: SetupRung, options: UringDriverOptions, sizes: RingSizes) throws(IOError) {
        var parameters = io_uring_params()
        parameters.flags = rung.flags
        parameters.cq_entries = UInt32(clamping: sizes.completionEntries)
        parameters.sq_thread_idle = options.kernelPolling?.idleMilliseconds ?? 0
        unsafe raw = .allocate(capacity: 1)
        unsafe raw.initialize(to: io_uring())
        unsafe idleWords = .allocate(capacity: 1)
        unsafe idleWords.initialize(to: 0)
        self.rung = rung
        let result = unsafe io_uring_queue_init_params(
            UInt32(clamping: sizes.submissionEntries),
            raw,
            &parameters
        )
        features = parameters.features
        self.sizes = RingSizes(
            submissionEntries: Int(parameters.sq_entries),
            completionEntries: Int(parameters.cq_entries),
            providedEntries: sizes.providedEntries
        )
        guard result >= 0 else {
            isClosed = true
            throw IOError(.setUpRing, errno: Errno(result: result))
        }
        // A child must neither submit here nor share the pages copy-on-write. A failure only costs
        // that guard.
        _ = unsafe io_uring_ring_dontfork(raw)
    }

    deinit {
        close()
        unsafe raw.deallocate()
        unsafe idleWords.deallocate()
    }

    /// Gives descriptor and mappings back.
    ///
    /// Operations in flight are ended by the kernel later, not here.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        // Safety: the structure is initialized, and nobody but this class holds its pointers.
        unsafe io_uring_queue_exit(raw)
        unsafe raw.initialize(to: io_uring())
        unsafe raw.pointee.ring_fd = -1
        unsafe raw.pointee.enter_ring_fd = -1
        unsafe raw.pointee.sq.khead = idleWords
        unsafe raw.pointee.sq.ktail = idleWords
        unsafe raw.pointee.sq.kflags = idleWords
        unsafe raw.pointee.cq.khead = idleWords
        unsafe raw.pointee.cq.ktail = idleWords
        unsafe raw.pointee.cq.koverflow = idleWords
    }
}

// Safety: all below read or write through `raw`, which lives as long as the object (see above).
extension UringRing {
    /// The ring's descriptor; it reads as readable while completions are unread.
    var descriptor: Descriptor { unsafe Descriptor(rawValue: raw.pointee.ring_fd) }

    /// The size mask of the submission queue, as the kernel keeps it.
    var submissionMask: UInt32 { unsafe raw.pointee.sq.kring_mask.pointee }

    /// Completions that lie unread in the queue.
    @inline(__always)
    var readyCompletions: Int { unsafe Int(cu_ready_completions(raw)) }

    /// The kernel has completions that it hands out only on an enter with GETEVENTS.
    @inline(__always)
    static func isWaitingForEnter(_ queueFlags: UInt32) -> Bool {
        queueFlags & (UInt32(IORING_SQ_TASKRUN) | UInt32(IORING_SQ_CQ_OVERFLOW)) != 0
    }

    /// Saves looking the descriptor up on every enter (Linux 5.18).
    ///
    /// It binds the ring to the calling thread.
    func registerDescriptor() -> Errno? {
        let result = unsafe io_uring_register_ring_fd(raw)
        return result == 1 ? nil : Errno(result: min(result, 0))
    }

    /// Caps the kernel's worker threads for blocking operations (Linux 5.15).
    func capWorkers(bounded: UInt32, unbounded: UInt32) -> Errno? {
        var counts = (bounded, unbounded)
        let result = unsafe withUnsafeMutableBytes(of: &counts) { bytes in
            unsafe io_uring_register_iowq_max_workers(
                raw,
                bytes.assumingMemoryBound(to: UInt32.self).baseAddress
            )
        }
        return result < 0 ? Errno(result: result) : nil
    }

    /// One io_uring_enter(2): hands `submit` entries over, waits for `wait` completions.
    ///
    /// A negative timeout is none.
    ///
    /// - Returns: how many entries were taken, or a negative errno.
    @inline(__always)
    func enter(submit: UInt32, wait: UInt32, flags: UInt32, within nanoseconds: Int64) -> Int32 {
        unsafe cu_enter_within(raw, submit, wait, flags, nanoseconds)
    }
}

// Safety: as above.
extension UringRing {
    /// Hands over what is prepared and waits for one completion, on any rung.
    ///
    /// For set-up and shut-down.
    ///
    /// - Returns: as `enter`.
    func submitAndWait(within nanoseconds: Int64) -> Int32 {
        let submit = unsafe cu_flush_entries(raw)
        let isAsleep =
            unsafe rung == .kernelPolling
            && cu_queue_flags_after_barrier(raw) & UInt32(IORING_SQ_NEED_WAKEUP) != 0
        let wakeUp = isAsleep ? UInt32(IORING_ENTER_SQ_WAKEUP) : 0
        return enter(
            submit: submit,
            wait: 1,
            flags: UInt32(IORING_ENTER_GETEVENTS) | waitFlags | wakeUp,
            within: nanoseconds
        )
    }
}
