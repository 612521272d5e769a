internal import CUring

/// Finds out what the ring in use can do: operations by name, behaviours by trying them.
///
/// A flag that the kernel knows is no proof that it works (multishot receive has no probe at all),
/// and two rings of one kernel differ by their set-up.
///
/// > Thread: Before start only, on the ring's own thread.
struct RingProbe {
    let ring: UringRing
    let buffers: ProvidedBuffers?
    let featuresOff: Set<KernelFeature>

    private static let operations: [(opcode: io_uring_op, name: String)] = [
        (IORING_OP_ACCEPT, "ACCEPT"), (IORING_OP_CONNECT, "CONNECT"), (IORING_OP_RECV, "RECV"),
        (IORING_OP_SEND, "SEND"), (IORING_OP_SENDMSG, "SENDMSG"), (IORING_OP_RECVMSG, "RECVMSG"),
        (IORING_OP_READ, "READ"), (IORING_OP_WRITE, "WRITE"),
        (IORING_OP_POLL_ADD, "POLL_ADD"), (IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"),
    ]

    /// Tries everything and notes it.
    ///
    /// - Throws: an error of `.setUpRing` when something is missing that has no fallback, or gives
    ///   no answer.
    func run(into report: inout FeatureReport) throws(IOError) {
        let known = try knownOperations()
        let missing = SetupLadder.missingFeatures(ring.features) + known.missing
        guard missing.isEmpty else { throw SetupFailure.missing(missing) }
        noteByName(.zeroCopySend, isKnown: known.hasZeroCopySend, since: "6.0", in: &report)
        noteByName(.linkedTimeout, isKnown: known.hasLinkedTimeout, since: "5.5", in: &report)
        noteFiles(known.files, in: &report)
        try note(.multishotPoll, in: &report) { test throws(IOError) in try test.multishotPoll() }
        try note(.multishotAccept, in: &report) { test throws(IOError) in
            try test.multishotAccept(isAssumed: buffers != nil)
        }
        guard let buffers else {
            report.note(.multishotReceive, isOn: false, "needs buf_ring")
            report.note(.receiveBudget, isOn: false, "needs buf_ring")
            report.note(.multishotReceiveMessage, isOn: false, "needs buf_ring")
            report.note(.multishotRead, isOn: false, "needs buf_ring")
            return
        }
        try note(.multishotRead, in: &report) { test throws(IOError) in
            try test.multishotRead(buffers)
        }
        try note(.multishotReceive, in: &report) { test throws(IOError) in
            try test.multishotReceive(buffers)
        }
        try note(.multishotReceiveMessage, in: &report) { test throws(IOError) in
            try test.multishotReceiveMessage(buffers)
        }
        guard report.isOn(.multishotReceive) else {
            report.note(.receiveBudget, isOn: false, "needs multishot_recv")
            return
        }
        try note(.receiveBudget, in: &report) { test throws(IOError) in
            try test.receiveBudget(buffers)
        }
    }

    private func note(
        _ feature: KernelFeature,
        in report: inout FeatureReport,
        _ body: (borrowing RingSelfTest) throws(IOError) -> RingSelfTest.Verdict
    ) throws(IOError) {
        guard !featuresOff.contains(feature) else {
            report.note(feature, isOn: false, FeatureReport.masked)
            return
        }
        let verdict = try body(RingSelfTest(ring: ring, feature: feature))
        report.note(feature, isOn: verdict.isOn, verdict.reason)
    }

    /// What a ring knows of operations: those that nothing does without, and others.
    private struct KnownOperations {
        var missing: [String] = []
        var files: FileOperations = []
        var hasZeroCopySend = false
        var hasLinkedTimeout = false
    }

    /// By name alone: a trial takes a TCP connection, and what ends it takes its time.
    private func noteByName(
        _ feature: KernelFeature,
        isKnown: Bool,
        since version: String,
        in report: inout FeatureReport
    ) {
        guard !featuresOff.contains(feature) else {
            return report.note(feature, isOn: false, FeatureReport.masked)
        }
        let reason =
            isKnown ? "the kernel has it" : "the kernel does not have it (Linux \(version))"
        report.note(feature, isOn: isKnown, reason)
    }

    /// Fixed buffers are as old as rings, and a sparse table of files fails where it is made: these
    /// are tried when they are first wanted.
    private func noteFiles(_ files: FileOperations, in report: inout FeatureReport) {
        for feature in [KernelFeature.fileOperations, .fixedBuffers, .registeredFiles] {
            let isMasked = featuresOff.contains(feature)
            report.note(feature, isOn: !isMasked, isMasked ? FeatureReport.masked : "probed")
        }
        report.fileOperations = featuresOff.contains(.fileOperations) ? [] : files
    }

    private func knownOperations() throws(IOError) -> KnownOperations {
        // Safety: the kernel fills in the list during the call; it is read before it is freed.
        let probe = unsafe Self.allocateProbe()
        defer { unsafe probe.deallocate() }
        let result = unsafe io_uring_register_probe(ring.raw, probe, Self.operationsMax)
        guard result >= 0 else {
            let errno = Errno(result: result)
            guard let denial = SetupFailure.denial(errno, of: .register) else {
                return KnownOperations(missing: ["REGISTER_PROBE"])
            }
            throw IOError(.setUpRing, errno: errno, detail: denial)
        }
        var known = KnownOperations()
        known.missing = Self.operations.filter { operation in
            unsafe !cu_supports(probe, Int32(operation.opcode.rawValue))
        }
        .map(\.name)
        for (opcode, operation) in Self.fileOperations
        where unsafe cu_supports(probe, Int32(opcode)) {
            known.files.insert(operation)
        }
        known.hasZeroCopySend = unsafe cu_supports(probe, Int32(IORING_OP_SEND_ZC.rawValue))
        known.hasLinkedTimeout = unsafe cu_supports(probe, Int32(IORING_OP_LINK_TIMEOUT.rawValue))
        return known
    }

    /// By the operation that came last to the kernel, where several are one of ours.
    private static let fileOperations: [(opcode: UInt32, FileOperations)] = [
        (IORING_OP_OPENAT.rawValue, .open), (IORING_OP_READ.rawValue, .transfer),
        (IORING_OP_FSYNC.rawValue, .sync), (IORING_OP_STATX.rawValue, .status),
        (IORING_OP_RENAMEAT.rawValue, .rename), (IORING_OP_UNLINKAT.rawValue, .remove),
        (IORING_OP_MKDIRAT.rawValue, .makeDirectory), (IORING_OP_FALLOCATE.rawValue, .allocate),
        (UInt32(CU_OP_FTRUNCATE), .truncate), (IORING_OP_CLOSE.rawValue, .close),
    ]

    /// As many as an opcode has values: more than any kernel knows.
    private static let operationsMax: UInt32 = 256

    /// The list's head with its operations behind it, in zeros as the kernel wants it.
    private static func allocateProbe() -> UnsafeMutablePointer<io_uring_probe> {
        let operationsBytes = Int(operationsMax) * MemoryLayout<io_uring_probe_op>.stride
        let byteCount = MemoryLayout<io_uring_probe>.size + operationsBytes
        // Safety: the memory is the caller's; it is as long and as aligned as the list needs.
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount,
            alignment: MemoryLayout<io_uring_probe>.alignment
        )
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        return unsafe memory.bindMemory(to: io_uring_probe.self, capacity: 1)
    }
}
