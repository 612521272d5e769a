/// Waiting for descriptors that belong to somebody else.
extension Shard {
    /// Waits until a descriptor has something to read, its end or an error included.
    ///
    /// It returns at once when that is so already. See `EventLoop.addReader` for descriptors that are
    /// closed meanwhile.
    ///
    /// > Ownership: The descriptor stays the program's, with its flags.
    ///
    /// - Parameters:
    ///   - descriptor: any that can be waited for.
    ///   - timeout: how long to wait at most.
    /// - Throws: EBADF for a number that is not open; `.wrongKind` for what is always ready, such as a
    ///   file; `.busy` when a task or a reader waits for the same, or a stream has it; `.cancelled`,
    ///   `.deadlineExceeded`, `.closed`, `.wrongShard`.
    public func untilReadable(
        _ descriptor: Descriptor,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try await AwaitedReadiness(self, descriptor, .readable).wait(timeout: timeout)
    }

    /// Waits until a descriptor has room to write, or an error; otherwise as `untilReadable`.
    ///
    /// - Throws: as `untilReadable`.
    public func untilWritable(
        _ descriptor: Descriptor,
        timeout: Duration? = nil
    ) async throws(IOError) {
        try await AwaitedReadiness(self, descriptor, .writable).wait(timeout: timeout)
    }
}

/// One wait for a descriptor's readiness.
///
/// > Thread: On-loop only, but for what says otherwise.
private final class AwaitedReadiness: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let shard: Shard
    private let descriptor: Descriptor
    private let readiness: Readiness
    private let waiter: Waiter
    private var interest: ReadinessInterest?
    private var failure: IOError?

    init(_ shard: Shard, _ descriptor: Descriptor, _ readiness: Readiness) {
        self.shard = shard
        self.descriptor = descriptor
        self.readiness = readiness
        waiter = Waiter(loop: shard.loop)
    }

    func wait(timeout: Duration?) async throws(IOError) {
        try shard.check(.poll)
        guard !shard.state.isOver else { throw IOError(.poll, reason: .closed) }
        try ask()
        waiter.begin(timeout: timeout, before: DeadlineScope.current)
        await waiter.end(isCancelledElsewhere: false)
        do throws(IOError) {
            try shard.check(waiter.finish(), .poll)
        } catch {
            shard.loop.perform { [self] in end() }
            throw error
        }
        if let failure { throw failure }
    }

    private func ask() throws(IOError) {
        guard shard.loop.interest(in: readiness, of: descriptor) == nil else {
            throw IOError(
                .poll,
                descriptor: descriptor,
                reason: .busy,
                detail: "somebody waits for the same"
            )
        }
        let interest = ReadinessInterest(
            ready: { [self] in
                end()
                waiter.resume()
            },
            failed: { [self] error in
                failure = error
                self.interest = nil
                waiter.resume(error.reason == .closed ? .ended : .ready)
            }
        )
        try shard.loop.add(interest, for: readiness, of: descriptor)
        self.interest = interest
    }

    /// Unless somebody else asks in its place by now.
    private func end() {
        let isOwn = shard.loop.interest(in: readiness, of: descriptor) === interest
        if isOwn, interest != nil { shard.loop.remove(readiness, of: descriptor) }
        interest = nil
    }
}
