import Glibc
import Testing

@testable import UringEngine

@Suite("A wait on epoll")
struct EpollWaitTests {
    @Test(arguments: [0, 1, UInt64(1) << 40])
    func returnsAtOnceWhenItsDeadlineIsOver(before: UInt64) throws {
        let harness = try EpollHarness()
        let driver = harness.driver
        let start = driver.now()
        for _ in 0..<1_000 { try driver.submitAndWait(.deadline(start - min(before, start))) }
        #expect(driver.now() - start < EpollHarness.patience)
    }

    @Test(arguments: [300_000, 20_000_000] as [UInt64])
    func endsWithItsDeadlineAndNotBefore(nanoseconds: UInt64) throws {
        let harness = try EpollHarness()
        let driver = harness.driver
        let enters = driver.metrics.enters
        let end = driver.now() + nanoseconds
        try driver.submitAndWait(.deadline(end))
        #expect(driver.now() >= end)
        #expect(driver.metrics.enters == enters + 1)
        #expect(!driver.hasUnreadCompletions)
    }

    @Test func isNoneWhileCompletionsAreUnread() throws {
        let harness = try EpollHarness()
        let driver = harness.driver
        driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        #expect(driver.hasUnreadCompletions)
        let enters = driver.metrics.enters
        try driver.submitAndWait(.forever)
        try driver.submitAndWait(.poll)
        #expect(driver.metrics.enters == enters)
        #expect(harness.reap().map(\.errno) == [.notFound])
    }

    @Test func takesManyReadyDescriptorsAtOnce() throws {
        let harness = try EpollHarness()
        let pairs = try (0..<128).map { _ in try SocketPair() }
        for pair in pairs {
            harness.driver.poll(
                harness.token(.poll),
                on: pair.near,
                events: .readable,
                isMultishot: true
            )
        }
        for pair in pairs { pair.write([1]) }
        let enters = harness.driver.metrics.enters
        #expect(try harness.completions(128).count == 128)
        #expect(harness.driver.metrics.enters == enters + 1)
    }

    @Test func endsForAWakeThatCameBefore() throws {
        let harness = try EpollHarness()
        for round in 1...5 {
            harness.driver.waker.wake()
            try harness.driver.submitAndWait(.forever)
            #expect(harness.reap().isEmpty)
            #expect(harness.driver.metrics.wakes == UInt64(round))
        }
        let end = harness.driver.now() + 1_000_000
        try harness.driver.submitAndWait(.deadline(end))
        #expect(harness.driver.now() >= end, "a wake ends one wait")
    }

    @Test func endsForAWakeFromAnotherThread() throws {
        let harness = try EpollHarness()
        for round in 1...50 {
            let thread = try WakingThread(harness.driver.waker)
            while harness.driver.metrics.wakes < UInt64(round) {
                try harness.driver.submitAndWait(.forever)
                #expect(harness.reap().isEmpty)
            }
            thread.join()
        }
    }

    @Test func copiesNoMoreThanTheBatchHoldsAndTheRestNext() throws {
        let harness = try EpollHarness()
        let none = harness.token(.receive)
        for _ in 0..<1_500 { harness.driver.cancel(harness.token(.cancel), target: none) }
        #expect((0..<4).map { _ in harness.reap().count } == [512, 512, 476, 0])
    }
}

/// A thread that calls a waker once.
private struct WakingThread {
    private let thread: pthread_t

    init(_ waker: any Waker) throws {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(WakerBox(waker))
        try #require(pthread_create(&thread, nil, wakeOnThread, box.toOpaque()) == 0)
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }
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
