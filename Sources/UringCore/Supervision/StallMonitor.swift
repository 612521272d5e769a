internal import Logging

/// A loop that has not turned for longer than it may.
///
/// > Thread: Any thread.
public struct Stall: Hashable, Sendable {
    /// The shard.
    public let shard: Int
    /// How long it has not turned, so far.
    public let elapsed: Duration
    /// CPU time that its thread spent meanwhile; nil where that cannot be read.
    ///
    /// Much less than `elapsed`: the thread was blocked or preempted, and not computing.
    public let threadTime: Duration?
}

/// Looks whether loops turn.
///
/// Each loop counts its turns and its wakes. One that does not change while the loop is not parked is a
/// stall: a handler that computes or blocks. A preempted thread looks the same but for its CPU time.
///
/// > Thread: The supervisor's watch thread.
struct StallMonitor {
    /// While all loops are parked there is nothing to see.
    private static let idlePauseMilliseconds: Int32 = 1_000
    /// At most one report a shard in this time.
    private static let silenceNanoseconds: UInt64 = 1_000_000_000

    private struct Watched {
        let shard: Int
        let heartbeat: LoopHeartbeat
        let clock: ThreadClock?
        var beats: UInt64 = 0
        var since: UInt64 = 0
        var timeThen: Duration?
        var reported: UInt64?
    }

    private let limitNanoseconds: UInt64
    private let report: @Sendable (Stall) -> Void
    private var watched: [Watched]

    init(_ runtime: Runtime, clocks: [Int: ThreadClock]) {
        let logger = runtime.logger
        self.init(
            limit: runtime.configuration.stallLimit,
            shards: runtime.shards.map { ($0.index, $0.loop.heartbeat, clocks[$0.index]) },
            report: runtime.configuration.onStall ?? { logger.warning("\($0)") }
        )
    }

    init(
        limit: Duration,
        shards: [(Int, LoopHeartbeat, ThreadClock?)],
        report: @escaping @Sendable (Stall) -> Void
    ) {
        self.limitNanoseconds = limit.clampedNanoseconds
        self.report = report
        self.watched = shards.map { Watched(shard: $0.0, heartbeat: $0.1, clock: $0.2) }
    }

    /// How long to sleep until the next look; -1 for ever.
    var pauseMilliseconds: Int32 {
        guard limitNanoseconds > 0 else { return -1 }
        if watched.allSatisfy({ $0.heartbeat.isParked }) { return Self.idlePauseMilliseconds }
        return Int32(clamping: max(1, limitNanoseconds / 2_000_000))
    }

    /// Looks at every loop once.
    mutating func check(now: UInt64) {
        guard limitNanoseconds > 0 else { return }
        for position in watched.indices { check(&watched[position], now) }
    }

    private func check(_ loop: inout Watched, _ now: UInt64) {
        let isParked = loop.heartbeat.isParked
        let beats = loop.heartbeat.beats
        if beats != loop.beats || isParked || loop.since == 0 {
            loop.beats = beats
            loop.since = now
            loop.timeThen = loop.clock?.time
            return
        }
        guard now &- loop.since >= limitNanoseconds else { return }
        if let reported = loop.reported, now &- reported < Self.silenceNanoseconds { return }
        loop.reported = now
        var threadTime: Duration?
        if let then = loop.timeThen, let time = loop.clock?.time { threadTime = time - then }
        let elapsed = Duration.nanoseconds(now &- loop.since)
        report(Stall(shard: loop.shard, elapsed: elapsed, threadTime: threadTime))
    }
}

extension Stall: CustomStringConvertible {
    /// `shard 2 has not turned for 0.031 s (its thread computed for 0.030 s)`.
    public var description: String {
        let computed = threadTime.map { " (its thread computed for \($0))" } ?? ""
        return "shard \(shard) has not turned for \(elapsed)\(computed)"
    }
}
