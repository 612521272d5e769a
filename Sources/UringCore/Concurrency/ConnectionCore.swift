internal import CUring

/// What stands between a stream's callbacks and the task that reads and writes it.
///
/// Completions are plain callbacks into this object. Received bytes stay with the transport, which
/// bounds them; the task is woken at most once a readable batch.
///
/// > Thread: On-loop only, but for what says otherwise.
/// > Ownership: The transport holds it until `connectionLost`, every `Connection` as long as it lives.
@safe @usableFromInline
final class ConnectionCore: @unchecked Sendable {
    // Sendable: every way in checks that it is on the loop's thread, or posts.
    // Safety: the variables marked so are the loop thread's alone.

    let shard: Shard
    let loop: EventLoop
    /// Set by `connectionMade`, before anybody sees this object; `keptTransport` holds it.
    @safe @exclusivity(unchecked) private var made: Unmanaged<StreamTransport>?
    private var keptTransport: StreamTransport?
    private let reader: Waiter
    // Made when first needed: most connections never wait to write.
    private var writer: Waiter?
    /// The same, for each write; `writer` holds it and is never replaced.
    @safe @exclusivity(unchecked) private var knownWriter: Unmanaged<Waiter>?
    private var closer: Waiter?
    /// The task that is watched for cancellation as a whole; zero for none.
    private var owner: UInt = 0
    /// Its handler began inside of a scope with a deadline, which is counted on this loop too.
    private var isInScope = false
    /// What came first and was not taken: the usual case needs no queue.
    @safe @exclusivity(unchecked) private var first: ReceivedBytes?
    /// The transport holds what came after it.
    @safe @exclusivity(unchecked) private var holdsMore = false
    @safe @exclusivity(unchecked) private var condition = Condition()
    /// Something was read since the last write: a request may be under way.
    @safe @exclusivity(unchecked) private var hasUnansweredInput = false
    /// Told when the connection fails after its handler has returned.
    private var onLateError: ((IOError) -> Void)?

    init(shard: Shard) {
        self.shard = shard
        self.loop = shard.loop
        if shard.isDrainingHere { condition.insert(.draining) }
        self.reader = Waiter(loop: shard.loop)
    }

    var transport: StreamTransport {
        // Safety: `keptTransport` holds it.
        unsafe known.takeUnretainedValue()
    }

    /// For `_withUnsafeGuaranteedRef`: a borrowed reference costs no count.
    @inline(__always)
    private var known: Unmanaged<StreamTransport> {
        guard let made else {
            preconditionFailure("a connection is handed out after it was made")
        }
        return unsafe made
    }

    // MARK: Checks

    var isOnShard: Bool { loop.isRunningHere }

    @inline(__always)
    func checkShard(_ operation: IOError.Operation) throws(IOError) {
        guard loop.isRunningHere else { throw wrongShard(operation) }
    }

    @inline(never)
    private func wrongShard(_ operation: IOError.Operation) -> IOError {
        IOError(
            operation,
            reason: .wrongShard,
            detail: "this connection lives on shard \(shard.index); use submit(to:)"
        )
    }

    /// What keeps reads and writes off the fast path.
    private struct Condition: OptionSet {
        let rawValue: UInt8

        /// The peer has ended, and what it sent was delivered.
        static let inputEnded = Condition(rawValue: 1)
        static let draining = Condition(rawValue: 2)
        /// The owner was cancelled.
        static let cancelled = Condition(rawValue: 4)
        /// `connectionLost` was called.
        static let lost = Condition(rawValue: 8)
        static let writingPaused = Condition(rawValue: 16)
        /// `close` or `abort` was called.
        static let closing = Condition(rawValue: 32)
        /// Nothing can come in: it is the writing end of a pipe.
        static let outputOnly = Condition(rawValue: 64)
    }

    /// Why nothing works any more.
    func endError(_ operation: IOError.Operation) -> IOError {
        transport.lossError ?? IOError(operation, reason: .closed)
    }

    // MARK: Reading

    /// What a read that found nothing does.
    @usableFromInline
    enum ReadStep {
        /// Nothing will come.
        case over
        /// Suspend; the task's cancellation is watched as a whole.
        case byOwner
        /// Suspend, watching for the cancellation of this task.
        case watched
    }

    /// Takes what came first; nil when nothing has come.
    @usableFromInline
    func takeReceived() throws(IOError) -> ReceivedBytes? {
        try checkShard(.receive)
        // Or a reader that was resumed and has not run yet would find nothing, and take it for the end.
        if reader.isBusy { throw busy(.receive) }
        return take()
    }

    @inline(__always)
    private func take() -> ReceivedBytes? {
        guard let bytes = first.take() ?? takeHeld() else { return nil }
        hasUnansweredInput = true
        return bytes
    }

    private func takeHeld() -> ReceivedBytes? {
        guard holdsMore else { return nil }
        var bytes: ReceivedBytes?
        // Safety: `keptTransport` holds it.
        unsafe known._withUnsafeGuaranteedRef {
            bytes = $0.takeHeld()
            // The transport does not announce an end that lies behind held bytes.
            if $0.isInputFinished { condition.insert(.inputEnded) }
        }
        holdsMore = bytes != nil
        return bytes
    }

    /// Decides how a read that found nothing goes on.
    @usableFromInline
    func beginRead(timeout: Duration?) throws(IOError) -> ReadStep {
        if !condition.isEmpty, try isReadOver() { return .over }
        // Before the task suspends: on the way there it may leave the shard, and bytes may come.
        guard timeout == nil, isOwner, shard.state.deadlineScopeCount == 0 else {
            return beginWatched(timeout)
        }
        reader.begin()
        return .byOwner
    }

    @inline(never)
    private func beginWatched(_ timeout: Duration?) -> ReadStep {
        reader.begin(timeout: timeout, before: DeadlineScope.current)
        return .watched
    }

    /// Off the fast path: the connection ends, drains, or is cancelled.
    private func isReadOver() throws(IOError) -> Bool {
        if condition.contains(.closing) { throw endError(.receive) }
        if condition.contains(.outputOnly) { throw wrongDirection(.receive) }
        if condition.contains(.inputEnded) { return true }
        if condition.contains(.draining), !hasUnansweredInput, !condition.contains(.lost) {
            return true
        }
        if condition.contains(.cancelled) { throw IOError(.receive, reason: .cancelled) }
        if condition.contains(.lost) { throw endError(.receive) }
        return false
    }

    // Safety: the reader resumes the continuation exactly once.
    @usableFromInline
    func suspendReader(_ continuation: UnsafeContinuation<Void, Never>) {
        unsafe reader.suspend(continuation)
    }

    /// Waits, watching for this task's cancellation; `endRead` tells how it ended.
    @usableFromInline
    func awaitInput() async {
        await reader.end(isCancelledElsewhere: isOwner)
    }

    /// Takes what the wait brought; nil at the end of the input.
    @usableFromInline
    func endRead() throws(IOError) -> ReceivedBytes? {
        try shard.check(reader.finish(), .receive)
        if let bytes = take() { return bytes }
        _ = try isReadOver()
        return nil
    }

    // MARK: Writing

    /// Queues bytes.
    ///
    /// - Returns: false when too much waits to be sent.
    @usableFromInline
    func write(_ bytes: consuming ReceivedBytes) throws(IOError) -> Bool {
        try checkWriting()
        var moving: ReceivedBytes? = bytes
        var isQueued = false
        // Safety: `keptTransport` holds it.
        unsafe known._withUnsafeGuaranteedRef { transport in
            if let bytes = moving.take() { isQueued = transport.write(bytes) }
        }
        return try queued(isQueued)
    }

    /// Queues the program's own bytes.
    ///
    /// - Returns: false when too much waits to be sent.
    @usableFromInline
    func write(_ bytes: consuming OwnedBytes) throws(IOError) -> Bool {
        try write(bytes.takeContents())
    }

    /// Queues a copy of an array.
    ///
    /// - Returns: false when too much waits to be sent.
    @usableFromInline
    func write(_ bytes: [UInt8]) throws(IOError) -> Bool {
        try checkWriting()
        return try queued(transport.write(bytes))
    }

    /// Before anything is queued: what one write throws, it has not sent.
    @inline(__always)
    private func checkWriting() throws(IOError) {
        try checkShard(.write)
        // Safety: `writer` holds it; a borrowed reference costs no count.
        if let waiting = knownWriter,
            unsafe waiting._withUnsafeGuaranteedRef({ $0.isBusy })
        {
            throw busy(.write)
        }
    }

    @inline(__always)
    private func queued(_ isQueued: Bool) throws(IOError) -> Bool {
        guard isQueued else { throw writeError() }
        hasUnansweredInput = false
        return !condition.contains(.writingPaused)
    }

    @inline(never)
    private func writeError() -> IOError {
        transport.isWritable ? endError(.write) : wrongDirection(.write)
    }

    /// Throws for the reading end of a pipe.
    func checkWritable(_ operation: IOError.Operation) throws(IOError) {
        if !transport.isWritable { throw wrongDirection(operation) }
    }

    private func wrongDirection(_ operation: IOError.Operation) -> IOError {
        let end = transport.isWritable ? "writing" : "reading"
        return IOError(
            operation,
            reason: .wrongDirection,
            detail: "this is the \(end) end of a pipe"
        )
    }

    /// Waits until less waits to be sent.
    @usableFromInline
    func awaitRoom(timeout: Duration?) async throws(IOError) {
        if condition.contains(.cancelled) { throw IOError(.write, reason: .cancelled) }
        guard condition.contains(.writingPaused) else { return }
        let waiter = writer ?? Waiter(loop: loop)
        writer = waiter
        // Safety: `writer` holds it as long as this object lives.
        unsafe knownWriter = .passUnretained(waiter)
        guard !waiter.isBusy else { throw busy(.write) }
        await waiter.wait(timeout: timeout, isCancelledElsewhere: isOwner)
        try shard.check(waiter.finish(), .write)
        if condition.contains(.lost) { throw endError(.write) }
    }

    /// Keeps other tasks from writing, until `endHold`: they get `.busy`.
    func holdWriting() throws(IOError) {
        try checkWriting()
        if condition.contains(.cancelled) { throw IOError(.write, reason: .cancelled) }
        let waiter = writer ?? Waiter(loop: loop)
        writer = waiter
        // Safety: `writer` holds it as long as this object lives.
        unsafe knownWriter = .passUnretained(waiter)
        guard !waiter.isBusy else { throw busy(.write) }
        waiter.begin(timeout: nil, before: nil)
    }

    /// Lets others write again.
    ///
    /// - Throws: `.cancelled` when the owner was cancelled meanwhile, `.wrongShard`.
    func endHold() throws(IOError) {
        writer?.resume()
        guard let outcome = writer?.finish() else { return }
        try shard.check(outcome, .write)
    }

    /// Waits until everything that was written was sent, or cannot be.
    func awaitEnd(timeout: Duration?) async throws(IOError) {
        if condition.contains(.cancelled) { throw IOError(.close, reason: .cancelled) }
        if !condition.contains(.lost) {
            let waiter = closer ?? Waiter(loop: loop)
            closer = waiter
            guard !waiter.isBusy else { throw busy(.close) }
            await waiter.wait(timeout: timeout, isCancelledElsewhere: isOwner)
            try shard.check(waiter.finish(), .close)
        }
        if let error = transport.lossError { throw error }
    }

    private func busy(_ operation: IOError.Operation) -> IOError {
        IOError(operation, reason: .busy, detail: "another task waits for the same")
    }

    // MARK: The task that owns it

    /// The calling task handles this connection from here on; its cancellation comes by `cancelOwner`.
    func begin() {
        owner = cu_current_task()
        guard DeadlineScope.current != nil else { return }
        isInScope = true
        shard.state.deadlineScopeCount += 1
    }

    private func disown() {
        owner = 0
        guard isInScope else { return }
        isInScope = false
        shard.state.deadlineScopeCount -= 1
    }

    /// Runs what handles this connection, watching its task for cancellation as a whole; the connection
    /// is closed when `body` returns and reset when it throws.
    ///
    /// - Parameters:
    ///   - onLateError: told when the connection fails after `body` has returned.
    ///   - body: uses the connection.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws.
    func own<Value>(
        onLateError: @escaping @Sendable (IOError) -> Void = { _ in },
        _ body: () async throws -> Value
    ) async throws -> Value {
        begin()
        do {
            let value = try await withTaskCancellationHandler(operation: body) { cancelOwner() }
            end(onLateError: onLateError)
            return value
        } catch {
            endThrown()
            throw error
        }
    }

    /// Ends every wait of the owner, now and later.
    ///
    /// > Thread: Any thread.
    func cancelOwner() {
        loop.callSoonThreadsafe { [self] in
            condition.insert(.cancelled)
            reader.resume(.cancelled)
            writer?.resume(.cancelled)
            closer?.resume(.cancelled)
        }
    }

    /// Closes after what was written has been sent.
    func close() {
        endInput()
        transport.close()
    }

    /// Ends at once.
    ///
    /// > Thread: Any thread.
    func abort() {
        loop.perform { [self] in
            endInput()
            transport.abort()
        }
    }

    /// Nothing is read any more, not even what was received before.
    private func endInput() {
        condition.insert(.closing)
        dropInput()
        reader.resume()
    }

    private func dropInput() {
        first = nil
        holdsMore = false
        transport.dropParked()
    }

    /// The handler returned: what was written is still sent.
    ///
    /// > Thread: Any thread: a task whose shard has ended goes on elsewhere.
    func end(onLateError: @escaping @Sendable (IOError) -> Void) {
        guard isOnShard else { return loop.perform { [self] in end(onLateError: onLateError) } }
        disown()
        if condition.contains(.lost) { return endInput() }
        self.onLateError = onLateError
        close()
    }

    /// The handler threw.
    ///
    /// > Thread: As of `end`.
    func endThrown() {
        guard isOnShard else { return loop.perform(endThrown) }
        disown()
        abort()
    }

    @inline(__always)
    var isOwner: Bool { owner == cu_current_task() }
}

extension ConnectionCore: StreamHandler {
    // Safety: `keptTransport` holds it until this object ends.
    @usableFromInline
    func connectionMade(_ transport: StreamTransport) {
        keptTransport = transport
        unsafe made = .passUnretained(transport)
        if !transport.isReadable { condition.insert(.outputOnly) }
        // What comes through a pipe is no request: its end would be a lie while the other end writes.
        if transport.isPiped { condition.remove(.draining) }
    }

    @usableFromInline
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        if first == nil, !holdsMore {
            first = consume bytes
        } else {
            holdsMore = true
            transport.hold(bytes)
        }
        reader.resume()
    }

    @usableFromInline
    func eofReceived(on transport: StreamTransport) -> Bool {
        condition.insert(.inputEnded)
        reader.resume()
        return true
    }

    @usableFromInline
    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        condition.insert(.lost)
        condition.remove(.writingPaused)
        // Where the kernel says that it is over, what came before is still there to be read.
        if error?.errno == nil {
            // The end of the stream stands behind what is dropped here: told of it alone, a reader would
            // take what it has for everything.
            if first != nil || holdsMore { condition.remove(.inputEnded) }
            dropInput()
        }
        reader.resume()
        writer?.resume()
        closer?.resume()
        if let error { onLateError?(error) }
        onLateError = nil
    }

    @usableFromInline
    func pauseWriting(on transport: StreamTransport) {
        condition.insert(.writingPaused)
    }

    @usableFromInline
    func resumeWriting(on transport: StreamTransport) {
        condition.remove(.writingPaused)
        writer?.resume()
    }

    /// A connection without a request under way ends at once: its reader is told that nothing comes.
    @usableFromInline
    func drainStarted(on transport: StreamTransport) {
        if transport.isPiped {
            if shard.state.areHandlersOver || shard.state.isOver { close() }
            return
        }
        condition.insert(.draining)
        if shard.state.isOver { return close() }
        if !hasUnansweredInput { reader.resume() }
    }
}
