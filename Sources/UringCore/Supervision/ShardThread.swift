internal import CNUMA
internal import Logging

/// One shard's thread from its start to its end.
///
/// The loop is made on the thread that runs it, after the thread was bound to its CPU, so that its
/// memory lies near that CPU.
///
/// > Thread: Before start only; `run` is the thread.
struct ShardThread: Sendable {
    let index: Int
    let cpu: Int?
    let runtime: Runtime
    let options: LoopOptions
    let makeLoop: @Sendable (Int, LoopOptions) throws(IOError) -> EventLoop
    let report: @Sendable (ShardEvent) -> Void

    /// The thread.
    func run(pinFailure: IOError?) {
        nameThread()
        do throws(IOError) {
            try place(pinFailure)
            let loop = try makeLoop(index, options)
            serve(
                Shard(
                    index: index,
                    cpu: pinFailure == nil ? cpu : nil,
                    loop: loop,
                    runtime: runtime
                )
            )
        } catch {
            report(.notMade(index, error))
        }
        report(.ended(index))
    }

    /// A thread that could not be bound runs elsewhere, unless the program insists.
    private func place(_ pinFailure: IOError?) throws(IOError) {
        guard let pinFailure else {
            guard cpu == nil, !runtime.plan.isPinned else { return }
            let cpus = runtime.plan.affinity(ofShard: index)
            if !cpus.isEmpty { try ThreadAffinity.bind(to: cpus) }
            return
        }
        if runtime.configuration.pinning == .on { throw pinFailure }
        runtime.logger.warning("\(pinFailure); the scheduler places shard \(index)")
    }

    /// What `top -H` and debuggers show.
    private func nameThread() {
        // Safety: the text lives during the call.
        unsafe "uring-\(index)".withCString { unsafe cn_name_thread($0) }
    }

    private func serve(_ shard: Shard) {
        let loop = shard.loop
        let life = ShardLife(shard, report: report)
        life.begin()
        do throws(IOError) {
            try loop.runForever()
            life.beginFinish()
            while !life.isFinished { try loop.runOnce(mayWait: true) }
        } catch {
            life.fail(error)
        }
        life.end()
    }
}

/// A shard whose loop stands, with what only its own thread can tell.
///
/// > Thread: Made on the shard's thread.
struct StartedShard: Sendable {
    let shard: Shard
    let clock = ThreadClock.current
    /// The driver and what is off.
    let summary: String

    init(_ shard: Shard) {
        self.shard = shard
        self.summary = shard.loop.driverSummary
    }

    var index: Int { shard.index }
}

/// What a shard's thread tells its supervisor.
///
/// > Thread: Any thread.
enum ShardEvent: Sendable {
    /// The loop stands and runs.
    case ready(StartedShard)
    /// The loop could not be made.
    case notMade(Int, IOError)
    /// The loop could not go on.
    case failed(Int, IOError)
    /// The thread is about to end.
    case ended(Int)
    /// The handler returned, or failed for good.
    case handlerEnded(Int, (any Error)?)
    /// Somebody wants the drain to begin.
    case drainRequested(String)
    /// The drain has taken as long as it may.
    case drainExpired
    /// Handlers have ignored their cancellation for long enough.
    case graceExpired
}
