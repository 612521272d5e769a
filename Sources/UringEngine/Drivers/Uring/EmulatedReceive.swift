internal import CUring
internal import Glibc

/// Receives where the kernel picks no buffers: a poll, then recv(2) into a buffer picked here.
///
/// An idle connection holds no buffer here either, which is the point of provided buffers.
///
/// > Thread: On-loop only.
/// > Ownership: It holds ids, not memory; the pool's region stays mapped until the driver has shut
/// > down.
struct EmulatedReceive {
    /// A receive that waits for its socket to become readable.
    struct Request {
        let descriptor: Descriptor
        let byteBudget: Int
    }

    /// What became of one.
    enum Outcome {
        /// A completion for the loop.
        case done(Completion)
        /// The readiness was gone again: wait for the next.
        case pollAgain(Request)
    }

    private var region: PoolRegion?
    private var free: [BufferID] = []
    private var requests: [OperationToken: Request] = [:]

    /// Learns the pool's memory.
    mutating func adopt(_ region: PoolRegion) {
        self.region = region
        free.reserveCapacity(region.bufferCount)
    }

    /// Takes a buffer to receive into.
    mutating func provide(_ buffer: BufferID) {
        precondition(
            free.count < region?.bufferCount ?? 0,
            "each buffer of the pool is provided once"
        )
        free.append(buffer)
    }

    /// Remembers what to do once the poll of `token` answers.
    mutating func expect(_ token: OperationToken, _ request: Request) {
        requests[token] = request
    }

    /// Answers the poll of `token`.
    ///
    /// - Parameters:
    ///   - token: the receive's.
    ///   - result: the poll's own: events, or a negative errno such as ECANCELED.
    /// - Returns: a completion, or the receive to poll for again.
    mutating func finish(_ token: OperationToken, result: Int32) -> Outcome {
        guard let request = requests.removeValue(forKey: token), let region else {
            preconditionFailure(
                "a receive's poll was asked for by a receive, after the pool's adoption"
            )
        }
        guard result >= 0 else { return .done(Completion(token: token, result: result)) }
        guard let buffer = free.popLast() else {
            return .done(Completion(token: token, result: -Errno.noBuffers.rawValue))
        }
        let budget = request.byteBudget > 0 ? request.byteBudget : .max
        // Safety: the buffer is ours until the completion hands it over; recv(2) writes during the
        // call only.
        let count = unsafe recv(
            request.descriptor.rawValue,
            region.address(of: buffer),
            min(budget, region.bufferBytes),
            Int32(MSG_DONTWAIT)
        )
        if count > 0 {
            return .done(Completion(token: token, result: Int32(count), buffer: buffer))
        }
        let failure = Errno.current
        free.append(buffer)
        if count == 0 { return .done(Completion(token: token, result: 0)) }
        switch failure {
        case .again, .interrupted:
            // Another reader or a checksum failure took the readiness away (poll(2), BUGS).
            return .pollAgain(request)
        default:
            return .done(Completion(token: token, result: -failure.rawValue))
        }
    }
}
