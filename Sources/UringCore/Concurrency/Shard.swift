/// One core's part of a server: its loop, its thread, its executors, and its place among the others.
///
/// `Supervisor.run` calls the program's handler once on every shard. Everything that the handler
/// starts as a child task stays on the shard's thread; shards share nothing, and ask each other with
/// `submit(to:_:)`.
///
/// > Thread: Any thread, where a member does not say otherwise.
public final class Shard: Sendable {
    /// Its number, from zero.
    public let index: Int
    /// The CPU that its thread is bound to; nil when the scheduler places it.
    public let cpu: Int?
    /// Runs tasks on this shard.
    public let executor: ShardExecutor
    /// Runs actors on this shard, as their `unownedExecutor`.
    public let actorExecutor: ShardActorExecutor
    /// The loop, for the callback face.
    ///
    /// > Thread: On-loop only.
    public let loop: EventLoop
    let runtime: Runtime
    let state: ShardState

    /// Made on the shard's own thread.
    init(index: Int, cpu: Int?, loop: EventLoop, runtime: Runtime) {
        self.index = index
        self.cpu = cpu
        self.loop = loop
        self.runtime = runtime
        self.state = ShardState(loop: loop)
        self.executor = ShardExecutor(loop: loop)
        self.actorExecutor = ShardActorExecutor(loop: loop, tasks: executor)
    }

    /// How many shards the server has.
    public var count: Int { runtime.shardCount }

    /// The calling thread runs this shard.
    public var isCurrent: Bool { loop.isRunningHere }

    /// The server drains: finish what is under way, begin nothing new.
    ///
    /// > Thread: On its shard; elsewhere it throws.
    public var isDraining: Bool {
        get throws(IOError) {
            try check(.wait)
            return state.isDraining
        }
    }

    /// Waits until the server drains; it returns at once when it does already.
    ///
    /// - Throws: `.cancelled`, `.wrongShard`.
    public func untilDrain() async throws(IOError) {
        try check(.wait)
        try check(await awaitDrain(timeout: nil), .wait)
    }

    /// Waits for the drain, for a time at most.
    func awaitDrain(timeout: Duration?) async -> Waiter.Outcome {
        if state.isDraining { return .ready }
        let waiter = Waiter(loop: loop)
        let number = state.drainWaiters.add(waiter)
        await waiter.wait(timeout: timeout, isCancelledElsewhere: false)
        loop.perform { [state] in state.drainWaiters.remove(number) }
        return waiter.finish()
    }

    /// Waits for a time on this shard's own timers; no other thread takes part.
    ///
    /// (`Task.sleep` uses a timer of the global pool and comes back by the inbox: 43 µs of the loop's
    /// CPU where this takes less than one. It ends with its task's cancellation, but knows nothing of
    /// `withDeadline`.)
    ///
    /// - Parameter duration: zero or less lets the shard's other jobs and completions run once.
    /// - Throws: `.cancelled`, `.deadlineExceeded` of an enclosing `withDeadline`, `.wrongShard`.
    public func sleep(for duration: Duration) async throws(IOError) {
        try check(.sleep)
        guard !state.isOver else { throw IOError(.sleep, reason: .closed) }
        let isCut = DeadlineScope.current.map { $0 < Deadline.after(duration) } ?? false
        let waiter = Waiter(loop: loop)
        await waiter.wait(timeout: duration, isCancelledElsewhere: false)
        let outcome = waiter.finish()
        if outcome == .deadlineExceeded, !isCut { return }
        try check(outcome, .sleep)
    }

    /// Waits for what a callback on this shard brings about; the shard's end ends the wait too.
    func park(_ waiter: Waiter) async -> Waiter.Outcome {
        guard !state.isOver else { return .ended }
        let number = state.parked.add(waiter)
        await waiter.wait(timeout: nil, isCancelledElsewhere: false)
        if isCurrent {
            state.parked.remove(number)
        } else {
            loop.callSoonThreadsafe { [state] in state.parked.remove(number) }
        }
        return waiter.finish()
    }

    func check(_ operation: IOError.Operation) throws(IOError) {
        guard isCurrent else {
            throw IOError(
                operation,
                reason: .wrongShard,
                detail: "called from elsewhere than shard \(index); use submit(to:)"
            )
        }
    }

    /// Throws unless a wait ended because what was waited for is there.
    @inline(__always)
    func check(_ outcome: Waiter.Outcome, _ operation: IOError.Operation) throws(IOError) {
        if outcome != .ready { throw error(outcome, operation) }
    }

    @inline(never)
    private func error(_ outcome: Waiter.Outcome, _ operation: IOError.Operation) -> IOError {
        switch outcome {
        case .ready: preconditionFailure("a wait that ended well is no error")
        case .cancelled: IOError(operation, reason: .cancelled)
        case .deadlineExceeded: IOError(operation, reason: .deadlineExceeded)
        case .elsewhere:
            IOError(
                operation,
                reason: .wrongShard,
                detail:
                    "the task went on elsewhere than on shard \(index); start it with executorPreference"
            )
        case .ended: Runtime.ended(self, operation)
        }
    }
}

extension Shard: CustomStringConvertible {
    /// `shard 2 on CPU 5`.
    public var description: String { Self.name(index, cpu) }

    static func name(_ index: Int, _ cpu: Int?) -> String {
        "shard \(index)" + (cpu.map { " on CPU \($0)" } ?? "")
    }
}
