import UringEngine

/// One shard's driver on a simulated kernel.
///
/// It takes what a loop asks, checks the rules of the seam on the way, and never blocks: a wait is
/// the simulation's turn, unless the loop runs by itself; then the kernel alone goes on.
///
/// > Thread: On the simulation's thread only, `waker` excepted.
/// > Ownership: The loop owns it; it shares the kernel.
final class SimulatedDriver: KernelDriver {
    let kernel: SimulatedKernel
    let shard: Int
    let capabilities: Capabilities
    let simulatedWaker = SimulatedWaker()
    private let completionsMax: Int
    var metrics = DriverMetrics()

    // Operations.
    private var prepared: [SimulatedOperation] = []
    /// Looked up by token only: nothing walks through it.
    private var operations: [OperationToken: SimulatedOperation] = [:]
    private(set) var inFlightCount = 0

    // Completions.
    private var unread: [(Completion, SimulatedOperation)] = []
    /// What the queue had no place for.
    private var overflown: [(Completion, SimulatedOperation)] = []

    var buffers = SimulatedBuffers()

    /// How long the loop waits; nil while it does not.
    private(set) var wait: WaitBound?
    /// The simulation takes over when the loop waits; otherwise the kernel alone goes on.
    var isStepped = true
    private(set) var hasEnded = false

    init(
        kernel: SimulatedKernel,
        shard: Int,
        capabilities: Capabilities,
        completionsMax: Int
    ) {
        self.kernel = kernel
        self.shard = shard
        self.capabilities = capabilities
        self.completionsMax = completionsMax
    }

    var summary: String { "simulated" }
    var waker: any Waker { simulatedWaker }
    var completionDescriptor: Descriptor? { nil }

    func trace(
        _ event: SimulationTrace.Event,
        _ words: (Int, Int, Int),
        _ text: StaticString = ""
    ) {
        kernel.trace.add(event, shard: shard, clock: kernel.clock, words, text)
    }

    // MARK: Clock and wait

    func now() -> UInt64 { kernel.clock }

    var hasUnreadCompletions: Bool { !unread.isEmpty }

    func submitAndWait(_ bound: WaitBound) throws(IOError) {
        metrics.enters += 1
        handOver()
        admitOverflown()
        guard !isStepped else {
            wait = bound
            return
        }
        // Also when a rule was broken: a loop that ends by itself goes on until its operations have ended.
        while bound != .poll, !hasReason(toEnd: bound) {
            guard kernel.isBusy || kernel.moveClock(before: bound.instant) else {
                kernel.fail("shard \(shard) would wait for ever while it ends")
                return
            }
            kernel.step()
            admitOverflown()
        }
        _ = simulatedWaker.take()
    }

    /// The wait is over.
    func endWait() {
        wait = nil
        admitOverflown()
        if simulatedWaker.take() { metrics.wakes += 1 }
    }

    /// Why a wait ends by itself.
    func hasReason(toEnd bound: WaitBound) -> Bool {
        if bound == .poll || !unread.isEmpty || !overflown.isEmpty { return true }
        if simulatedWaker.isPending { return true }
        return bound.instant.map { $0 <= kernel.clock } ?? false
    }

    func reap(into batch: inout CompletionBatch) {
        let count = min(batch.room, unread.count)
        guard count > 0 else { return }
        trace(.reap, (count, 0, 0))
        for (completion, operation) in unread.prefix(count) {
            batch.append(completion)
            if completion.isTerminal { forget(operation) }
        }
        unread.removeFirst(count)
        metrics.completions += UInt64(count)
    }

    // MARK: Operations

    func operation(_ token: OperationToken) -> SimulatedOperation? { operations[token] }

    /// Takes an operation; the kernel sees it with the next enter.
    func prepare(_ operation: SimulatedOperation) {
        let token = operation.token
        if hasEnded { kernel.fail("\(token.text) was asked of a driver that was shut down") }
        if operations[token] != nil { kernel.fail(.reusedToken(token)) }
        operations[token] = operation
        inFlightCount += 1
        prepared.append(operation)
        metrics.submissions += 1
        if let socket = operation.socket { socket.operations.append(operation) }
    }

    private func handOver() {
        guard !prepared.isEmpty else { return }
        for operation in prepared {
            let detail: Int
            switch operation.verb {
            case .send(let payload), .writeStream(let payload): detail = payload.byteCount
            case .receive(let byteBudget, _): detail = byteBudget
            case .readStream, .receiveMessage, .accept, .connect, .discard, .poll, .file, .cancel:
                detail = 0
            }
            let token = Int(truncatingIfNeeded: operation.token.rawValue)
            trace(.handOver, (token, Int(operation.descriptor.rawValue), detail))
            if let memory = operation.memory, !memory.isUnchanged {
                kernel.fail(.changedMemory(operation.token))
            }
            // Some are answered within the enter, in order; others when the kernel gets to it.
            if kernel.random.below(3) == 0 {
                kernel.attempt(operation)
            } else {
                kernel.attemptSoon(operation)
            }
        }
        prepared.removeAll(keepingCapacity: true)
    }

    /// Queues a completion, or keeps it until there is a place.
    func post(_ completion: Completion, of operation: SimulatedOperation) {
        let token = Int(truncatingIfNeeded: completion.token.rawValue)
        trace(.complete, (token, Int(completion.result), completion.isTerminal ? 0 : 1))
        if unread.count < completionsMax, overflown.isEmpty {
            unread.append((completion, operation))
        } else {
            if overflown.isEmpty { metrics.overflows += 1 }
            overflown.append((completion, operation))
        }
    }

    private func admitOverflown() {
        let count = min(overflown.count, completionsMax - unread.count)
        guard count > 0 else { return }
        unread += overflown.prefix(count)
        overflown.removeFirst(count)
    }

    private func forget(_ operation: SimulatedOperation) {
        guard operations[operation.token] === operation else { return }
        operations[operation.token] = nil
        inFlightCount -= 1
        operation.socket?.operations.removeAll { $0 === operation }
        operation.file?.operations.removeAll { $0 === operation }
    }

    // MARK: Buffers

    var bufferBytes: Int { buffers.bufferBytes }

    /// Picks the buffer for received bytes; nil when the kernel has none.
    func takeBuffer() -> BufferID? {
        guard let (buffer, isUntouched) = buffers.take() else { return nil }
        if !isUntouched {
            kernel.fail("somebody wrote to buffer \(buffer.rawValue), which the kernel owns")
        }
        return buffer
    }

    func fill(_ buffer: BufferID, from input: inout ByteQueue, byteCount: Int) {
        // Safety: the buffer was taken out for this receive, and is at least as large.
        unsafe input.move(byteCount, to: buffers.address(of: buffer))
    }

    func fill(_ buffer: BufferID, with bytes: [UInt8]) {
        // Safety: as above.
        unsafe buffers.address(of: buffer).copyMemory(from: bytes, byteCount: bytes.count)
    }

    // MARK: End

    func shutDown(graceNanoseconds: UInt64) -> Int {
        hasEnded = true
        for (completion, _) in unread + overflown
        where completion.token.kind?.returnsDescriptor == true && completion.result >= 0 {
            close(Descriptor(rawValue: completion.result))
        }
        // In the order of their making, which a dictionary does not keep.
        let left = operations.values.sorted { $0.token.rawValue < $1.token.rawValue }
        for operation in left {
            operation.isOver = true
            operation.socket?.operations.removeAll { $0 === operation }
            operation.socket?.readers.removeAll { $0 === operation }
            operation.socket?.writers.removeAll { $0 === operation }
            operation.file?.operations.removeAll { $0 === operation }
        }
        operations = [:]
        inFlightCount = 0
        unread = []
        overflown = []
        prepared = []
        buffers.releaseAll()
        return 0
    }
}

extension WaitBound {
    /// When the wait ends by itself.
    var instant: UInt64? {
        if case .deadline(let nanoseconds) = self { nanoseconds } else { nil }
    }
}
