internal import CUring

/// One small exchange on the ring in use, after which nothing is left in it.
///
/// > Thread: Before start only, on the ring's own thread.
struct RingSelfTest {
    let ring: UringRing
    let feature: KernelFeature

    /// What a test found.
    struct Verdict {
        let isOn: Bool
        let reason: String

        /// The kernel behaves as hoped.
        static let works = Verdict(isOn: true, reason: "proved on this ring")

        /// The kernel refused, or did something else.
        static func refused(_ answer: Answer?) -> Verdict {
            guard let answer, answer.result < 0 else {
                return Verdict(isOn: false, reason: "the kernel behaves otherwise")
            }
            return Verdict(isOn: false, reason: "the kernel says \(Errno(result: answer.result))")
        }
    }

    /// One completion, as the kernel writes it.
    struct Answer {
        let token: OperationToken
        let result: Int32
        let flags: UInt32

        var isTerminal: Bool { flags & UInt32(IORING_CQE_F_MORE) == 0 }
        var buffer: UInt16? {
            guard flags & UInt32(IORING_CQE_F_BUFFER) != 0 else { return nil }
            return UInt16(truncatingIfNeeded: flags >> UInt32(IORING_CQE_BUFFER_SHIFT))
        }
    }

    static let probeToken = OperationToken.driverOwn(.selfTest)
    private static let cancelToken = OperationToken.driverOwn(.selfTestCancel)
    private static let patienceNanoseconds: Int64 = 1_000_000_000
    /// No test asks for more completions than this; a kernel that never ends one is reported, not
    /// waited for.
    private static let answersMax = 64

    /// Fills one entry.
    func prepare(_ fill: (UnsafeMutablePointer<io_uring_sqe>) -> Void) {
        // Safety: the ring is empty before each step of a test, and the entry is used before the
        // next is taken.
        guard let entry = unsafe cu_next_entry(ring.raw) else {
            preconditionFailure("an empty ring has room for an entry")
        }
        unsafe fill(entry)
    }

    /// Hands over what is prepared and waits for one completion.
    ///
    /// - Throws: an error of `.setUpRing` when none comes within a second, or the kernel refuses to
    ///   be waited for.
    func next() throws(IOError) -> Answer {
        let deadline = MonotonicClock.nanoseconds() &+ UInt64(Self.patienceNanoseconds)
        while ring.readyCompletions == 0 {
            let result = ring.submitAndWait(within: Self.patienceNanoseconds)
            try checkWait(result)
            guard MonotonicClock.nanoseconds() < deadline else {
                throw SetupFailure.silent(feature)
            }
        }
        // Safety: a completion is ready, so the first entry of the queue is written and ours until
        // the advance.
        let entry = unsafe cu_completion(ring.raw, 0).pointee
        unsafe cu_advance_completions(ring.raw, 1)
        return Answer(
            token: OperationToken(rawValue: entry.user_data),
            result: entry.res,
            flags: entry.flags
        )
    }

    /// Reasons that pass end no test: the clock decides.
    private func checkWait(_ result: Int32) throws(IOError) {
        guard result < 0 else { return }
        switch Errno(result: result) {
        case .interrupted, .again, .busy: return  // A signal; no memory now; completions overflow.
        case .timerExpired: throw SetupFailure.silent(feature)
        case let errno:
            let words = SetupFailure.denial(errno, of: .enter) ?? "it cannot wait"
            throw IOError(
                .setUpRing,
                errno: errno,
                detail: "the self-test of \(feature.rawValue): \(words)"
            )
        }
    }

    /// Collects completions up to the terminal one.
    func rest() throws(IOError) -> [Answer] {
        var answers: [Answer] = []
        while answers.count < Self.answersMax {
            let answer = try next()
            answers.append(answer)
            if answer.isTerminal { return answers }
        }
        throw SetupFailure.silent(feature)
    }

    /// Ends the operation under test and waits for it and for the cancel itself.
    func cancel() throws(IOError) {
        // Safety: the entry is written before the next is taken.
        unsafe prepare {
            unsafe cu_prepare_cancel($0, Self.probeToken.rawValue, Self.cancelToken.rawValue)
        }
        var open: Set<OperationToken> = [Self.probeToken, Self.cancelToken]
        for _ in 0..<Self.answersMax where !open.isEmpty {
            let answer = try next()
            if answer.token == Self.probeToken, feature == .multishotAccept, answer.result >= 0 {
                _ = cu_close(answer.result)
            }
            if answer.isTerminal { open.remove(answer.token) }
        }
        guard open.isEmpty else { throw SetupFailure.silent(feature) }
    }
}
