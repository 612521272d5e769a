internal import CUring

/// Receives where the kernel picks no buffers: a poll, then recv(2) into a buffer picked here.
///
/// An idle connection holds no buffer here either, which is the point of provided buffers.
///
/// > Thread: On-loop only.
/// > Ownership: It holds ids, not memory; the pool's region stays mapped until the driver has shut
/// > down.
@safe struct EmulatedReceive {
    /// A receive that waits for its socket to become readable.
    @safe struct Request {
        // Safety: a message is its operation's, valid until the terminal completion.
        let descriptor: Descriptor
        let byteBudget: Int
        /// Where a datagram's sender and control data go; nil for a stream.
        var message: UnsafeMutablePointer<cu_message>?
        /// It reads a pipe or a terminal, which is no socket.
        var isStream = false
    }

    /// What became of one.
    enum Outcome {
        /// A completion for the loop.
        case done(Completion)
        /// The readiness was gone again: wait for the next.
        case pollAgain(Request)
    }

    // Safety: the region is the pool's, see Ownership; a buffer is this one's while it is free.
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
        let result = unsafe call(request, region.address(of: buffer), region.bufferBytes)
        if result > 0 {
            return .done(Completion(token: token, result: result, buffer: buffer))
        }
        free.append(buffer)
        switch Errno(result: result) {
        case .again, .interrupted:
            // Another reader or a checksum failure took the readiness away (poll(2), BUGS).
            return .pollAgain(request)
        default:
            return .done(Completion(token: token, result: result))
        }
    }

    /// Asks the kernel once; the descriptor of a pipe or a terminal is non-blocking.
    ///
    /// - Returns: how many bytes came, zero for the end or an empty datagram, or a negative errno.
    private func call(
        _ request: Request,
        _ address: UnsafeMutableRawPointer,
        _ bufferBytes: Int
    ) -> Int32 {
        let descriptor = request.descriptor.rawValue
        let budget = request.byteBudget > 0 ? request.byteBudget : .max
        let room = min(budget, bufferBytes)
        // Safety: the buffer is ours until the completion hands it over; the calls write during
        // themselves only.
        if request.isStream {
            return unsafe Int32(truncatingIfNeeded: cu_read(descriptor, address, room))
        }
        let count =
            unsafe request.message.map { message in
                unsafe cu_receive_message(descriptor, message, address, room)
            } ?? cu_receive(descriptor, address, room, 0)
        return Int32(truncatingIfNeeded: count)
    }
}
