import CNUMA
import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Loops that do not turn are reported; those that sleep are not.
@Suite("StallMonitor", .serialized)
struct StallTests {
    /// A monitor with a limit of 25 ms on loops that a test plays, and a clock that it sets.
    private final class Fixture {
        let heartbeats: [LoopHeartbeat]
        let reports = SharedList<Stall>()
        private var monitor: StallMonitor
        private var now: UInt64 = 1_000_000_000

        init(_ count: Int = 1, limit: Duration = .milliseconds(25)) {
            heartbeats = (0..<count).map { _ in LoopHeartbeat() }
            monitor = StallMonitor(
                limit: limit,
                shards: heartbeats.enumerated().map { ($0.offset, $0.element, nil) }
            ) { [reports] in reports.append($0) }
            for heartbeat in heartbeats { heartbeat.publish(isParked: false) }
        }

        var pause: Int32 { monitor.pauseMilliseconds }

        func check(after milliseconds: UInt64) {
            now += milliseconds * 1_000_000
            monitor.check(now: now)
        }
    }

    @Test func reportsALoopThatHasNotTurned() {
        let fixture = Fixture(2)
        fixture.check(after: 0)
        fixture.heartbeats[1].beat(1)
        fixture.check(after: 24)
        #expect(fixture.reports.all.isEmpty)
        fixture.heartbeats[1].beat(2)
        fixture.check(after: 2)
        #expect(
            fixture.reports.all
                == [Stall(shard: 0, elapsed: .milliseconds(26), threadTime: nil)]
        )
    }

    @Test func reportsAShardAtMostOnceASecond() {
        let fixture = Fixture()
        fixture.check(after: 0)
        for _ in 0..<200 { fixture.check(after: 12) }
        #expect(
            fixture.reports.all.map(\.elapsed) == [
                .milliseconds(36), .milliseconds(1_044), .milliseconds(2_052),
            ]
        )
    }

    @Test func reportsNoLoopThatTurns() {
        let fixture = Fixture()
        for turn in 1...100 {
            fixture.heartbeats[0].beat(UInt64(turn))
            fixture.check(after: 24)
        }
        #expect(fixture.reports.all.isEmpty)
    }

    @Test func reportsNoLoopThatSleeps() {
        let fixture = Fixture()
        fixture.heartbeats[0].publish(isParked: true)
        for _ in 0..<10 { fixture.check(after: 10_000) }
        #expect(fixture.reports.all.isEmpty)
    }

    /// A turn begins before the wait and ends after it: what was slept in it is no stall.
    @Test func doesNotCountTheSleepOfATurn() {
        let fixture = Fixture()
        fixture.heartbeats[0].publish(isParked: true)
        fixture.check(after: 0)
        fixture.heartbeats[0].publish(isParked: false)
        fixture.check(after: 1_000)
        #expect(fixture.reports.all.isEmpty, "it has just been woken")
        fixture.check(after: 25)
        #expect(fixture.reports.all.map(\.elapsed) == [.milliseconds(25)])
    }

    /// The same when no look fell into the sleep.
    @Test func doesNotCountASleepThatItDidNotSee() {
        let fixture = Fixture()
        fixture.check(after: 0)
        fixture.heartbeats[0].publish(isParked: true)
        fixture.heartbeats[0].publish(isParked: false)
        fixture.check(after: 1_000)
        #expect(fixture.reports.all.isEmpty)
    }

    @Test func looksSeldomWhileAllLoopsSleep() {
        let fixture = Fixture(2)
        #expect(fixture.pause == 12)
        fixture.heartbeats[0].publish(isParked: true)
        #expect(fixture.pause == 12)
        fixture.heartbeats[1].publish(isParked: true)
        #expect(fixture.pause == 1_000)
    }

    @Test(arguments: [Duration.zero, .seconds(-1)])
    func isOffWithoutALimit(_ limit: Duration) {
        let fixture = Fixture(1, limit: limit)
        #expect(fixture.pause == -1)
        for _ in 0..<10 { fixture.check(after: 10_000) }
        #expect(fixture.reports.all.isEmpty)
    }

    // MARK: On real shards

    /// Runs a handler that keeps shard 1 busy until it was reported.
    private func stall(
        _ hold: @escaping @Sendable (_ isReported: () -> Bool) -> Void
    ) async throws
        -> [Stall]
    {
        let reports = SharedList<Stall>()
        let supervisor = makeSupervisor(
            2,
            configured {
                $0.stallLimit = .milliseconds(25)
                $0.onStall = { reports.append($0) }
            }
        )
        let run = SupervisedRun(supervisor) { shard in
            guard shard.index == 1 else { return }
            hold { reports.all.contains { $0.shard == 1 } }
        }
        try await run.expectEnd()
        return reports.all
    }

    @Test func tellsABlockedHandlerByItsThreadsTime() async throws {
        let stalls = try await stall { isReported in
            while !isReported() { poll(nil, 0, 5) }
        }
        let stall = try #require(stalls.first)
        #expect(stall.shard == 1)
        #expect(stall.elapsed >= .milliseconds(25))
        #expect(try #require(stall.threadTime) < stall.elapsed / 2)
    }

    @Test func tellsAComputingHandlerByItsThreadsTime() async throws {
        let stalls = try await stall { isReported in
            // As much of its thread's own time as the limit, however often it is interrupted.
            let clock = cn_thread_clock()
            let end = cn_clock_nanoseconds(clock) + 50_000_000
            while cn_clock_nanoseconds(clock) < end || !isReported() {}
        }
        let stall = try #require(stalls.first)
        #expect(stall.shard == 1)
        #expect(try #require(stall.threadTime) > .zero)
    }

    @Test func isQuietAboutAServerAtRest() async throws {
        let reports = SharedList<Stall>()
        let supervisor = makeSupervisor(
            2,
            configured {
                // So seldom does no machine look at a thread that wants to run.
                $0.stallLimit = .milliseconds(500)
                $0.onStall = { reports.append($0) }
            }
        )
        let run = SupervisedRun(supervisor) { shard in
            for _ in 0..<3 { try await shard.sleep(for: .milliseconds(400)) }
        }
        try await run.expectEnd()
        #expect(reports.all.isEmpty)
    }
}
