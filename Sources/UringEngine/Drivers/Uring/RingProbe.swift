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
        (IORING_OP_SEND, "SEND"), (IORING_OP_SENDMSG, "SENDMSG"),
        (IORING_OP_POLL_ADD, "POLL_ADD"), (IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"),
    ]

    /// Tries everything and notes it.
    ///
    /// - Throws: an error of `.setUpRing` when something is missing that has no fallback, or gives
    ///   no answer.
    func run(into report: inout FeatureReport) throws(IOError) {
        let missing = SetupLadder.missingFeatures(ring.features) + missingOperations()
        guard missing.isEmpty else { throw SetupFailure.missing(missing) }
        try note(.multishotPoll, in: &report) { test throws(IOError) in try test.multishotPoll() }
        try note(.multishotAccept, in: &report) { test throws(IOError) in
            try test.multishotAccept(isAssumed: buffers != nil)
        }
        guard let buffers else {
            report.note(.multishotReceive, isOn: false, "needs buf_ring")
            report.note(.receiveBudget, isOn: false, "needs buf_ring")
            return
        }
        try note(.multishotReceive, in: &report) { test throws(IOError) in
            try test.multishotReceive(buffers)
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

    private func missingOperations() -> [String] {
        // Safety: liburing allocates the probe's answer, and frees it below.
        guard let probe = unsafe io_uring_get_probe_ring(ring.raw) else {
            return ["REGISTER_PROBE"]
        }
        defer { unsafe io_uring_free_probe(probe) }
        return Self.operations.filter { operation in
            unsafe !cu_supports(probe, Int32(operation.opcode.rawValue))
        }
        .map(\.name)
    }
}
