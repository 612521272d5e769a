internal import UringCore

/// What all workers of a run have in common.
///
/// > Thread: Any thread.
struct LoadJob: Sendable {
    let plan: LoadPlan
    let addresses: [SocketAddress]
    let pattern: BytePattern
    /// The timetable of an open loop.
    let schedule: RequestSchedule?
    /// How long what is in flight at the end may take to come back.
    let drainLimit: Duration

    init(_ plan: LoadPlan, to target: LoadTarget, drainLimit: Duration) {
        self.plan = plan
        self.drainLimit = drainLimit
        addresses = target.addresses
        pattern = BytePattern(messageBytes: plan.messageBytes)
        schedule = plan.rate.map { RequestSchedule(rate: $0, connections: plan.connections) }
    }

    /// The connections of one worker: as many as any other's, or one more.
    func numbers(ofWorker index: Int, of workerCount: Int) -> Range<Int> {
        plan.connections * index / workerCount..<plan.connections * (index + 1) / workerCount
    }
}
