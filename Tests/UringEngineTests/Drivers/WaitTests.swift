import Glibc
import Testing

@testable import UringEngine

struct WaitTests {
    private static let rungs: [Set<KernelFeature>] = [
        [], [.deferTaskrun], [.deferTaskrun, .coopTaskrun], [.submitAll],
    ]

    @Test(arguments: [0, 1, UInt64(1) << 40])
    func anExpiredDeadlineReturnsAtOnce(before: UInt64) throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        try driver.submitAndWait(.poll)
        let start = driver.now()
        let enters = driver.metrics.enters
        for _ in 0..<1_000 { try driver.submitAndWait(.deadline(start - min(before, start))) }
        #expect(driver.now() - start < DriverHarness.patience)
        #expect(driver.metrics.enters == enters, "nothing was prepared, nothing was flagged")
    }

    @Test func aDeadlineEndsTheWaitAndNotBefore() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        try driver.submitAndWait(.poll)
        let end = driver.now() + 20_000_000
        try driver.submitAndWait(.deadline(end))
        #expect(driver.now() >= end)
        #expect(!driver.hasUnreadCompletions)
    }

    @Test func aWaitSubmitsAndWaitsInOneEnter() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        try driver.submitAndWait(.poll)
        let enters = driver.metrics.enters
        driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        try driver.submitAndWait(.forever)
        #expect(driver.metrics.enters == enters + 1)
        #expect(harness.reap().count == 1)
    }

    @Test func unreadCompletionsAreNotEnteredFor() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        try driver.submitAndWait(.forever)
        #expect(driver.hasUnreadCompletions)
        let enters = driver.metrics.enters
        try driver.submitAndWait(.forever)
        try driver.submitAndWait(.poll)
        #expect(driver.metrics.enters == enters)
    }

    @Test(arguments: rungs)
    func aBusyLoopThatOnlyPollsSeesCompletions(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        let driver = harness.driver
        let pair = try SocketPair()
        driver.poll(
            harness.token(.poll),
            on: pair.near,
            events: .readable,
            isMultishot: false
        )
        try driver.submitAndWait(.poll)
        pair.write([1])
        let deadline = driver.now() + DriverHarness.patience
        var seen: [Completion] = []
        while seen.isEmpty, driver.now() < deadline {
            try driver.submitAndWait(.poll)
            seen = harness.reap()
        }
        #expect(seen.count == 1)
    }

    @Test func manyReadyDescriptorsTakeFewEnters() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 256 }
        let driver = harness.driver
        let pairs = try (0..<128).map { _ in try SocketPair() }
        for pair in pairs {
            driver.poll(
                harness.token(.poll),
                on: pair.near,
                events: .readable,
                isMultishot: true
            )
        }
        try driver.submitAndWait(.poll)
        for pair in pairs { pair.write([1]) }
        let enters = driver.metrics.enters
        #expect(try harness.completions(128).count == 128)
        // The kernel hands over about twenty at a time.
        #expect(driver.metrics.enters - enters <= 8)
    }

    @Test(arguments: [[], [.multishotPoll]] as [Set<KernelFeature>])
    func aWakeBeforeTheWaitEndsIt(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        for round in 1...5 {
            harness.driver.waker.wake()
            try harness.driver.submitAndWait(.forever)
            #expect(harness.reap().isEmpty, "the waker's completions are the driver's own")
            #expect(harness.driver.metrics.wakes == UInt64(round))
        }
    }

    @Test(arguments: [[], [.multishotPoll]] as [Set<KernelFeature>])
    func aWakeFromAnotherThreadEndsTheWait(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        for round in 1...50 {
            let thread = try Self.startThread(waking: harness.driver.waker)
            while harness.driver.metrics.wakes < UInt64(round) {
                try harness.driver.submitAndWait(.forever)
                #expect(harness.reap().isEmpty)
            }
            pthread_join(thread, nil)
        }
    }

    /// The kernel may end any poll at any time; here a cancel makes it do so.
    @Test(arguments: [[], [.multishotPoll]] as [Set<KernelFeature>])
    func theWakersPollIsArmedAgainWhenItEnds(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        let driver = harness.driver
        try driver.submitAndWait(.poll)
        for _ in 0..<20 {
            let cancel = harness.token(.cancel)
            driver.cancel(cancel, target: .driverOwn(.waker))
            #expect(try harness.rest(of: cancel).map(\.result) == [0], "it was armed")
            let deadline = driver.now() + DriverHarness.patience
            while driver.isWakerArmed, driver.now() < deadline {
                try driver.submitAndWait(.deadline(deadline))
                #expect(harness.reap().isEmpty)
            }
            #expect(!driver.isWakerArmed, "its end was seen")

            let wakes = driver.metrics.wakes
            let thread = try Self.startThread(waking: driver.waker)
            while driver.metrics.wakes == wakes {
                try driver.submitAndWait(.deadline(deadline))
                #expect(harness.reap().isEmpty)
                try #require(driver.now() < deadline, "a wake that is lost")
            }
            pthread_join(thread, nil)
            // An eventfd that was written before reports once more to a new poll.
            try driver.submitAndWait(.poll)
            #expect(harness.reap().isEmpty)
        }
        #expect(driver.operationsInFlight == (driver.isWakerArmed ? 1 : 0), "the waker's poll")
    }

    @Test func anIdleWaitMakesNoEnters() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        try driver.submitAndWait(.poll)
        let enters = driver.metrics.enters
        try driver.submitAndWait(.deadline(driver.now() + 50_000_000))
        #expect(driver.metrics.enters == enters + 1)
    }

    @Test func aWakerOutlivesItsDriver() throws {
        let waker = try DriverHarness().driver.waker
        waker.wake()
    }

    private static func startThread(waking waker: any Waker) throws -> pthread_t {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(WakerBox(waker))
        try #require(pthread_create(&thread, nil, wakeOnThread, box.toOpaque()) == 0)
        return thread
    }
}

private final class WakerBox: Sendable {
    let waker: any Waker
    init(_ waker: any Waker) { self.waker = waker }
}

private nonisolated func wakeOnThread(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let box else { return nil }
    Unmanaged<WakerBox>.fromOpaque(box).takeRetainedValue().waker.wake()
    return nil
}
