internal import CNUMA
internal import CUring
internal import Glibc
internal import Logging

/// The supervisor's own thread: it takes signals, looks whether loops stall, and trims the heap after a
/// burst.
///
/// Not on a shard: a handler that hangs must keep neither from working.
///
/// > Thread: `start` and `stop`: any thread; all else is the thread.
struct WatchThread: Sendable {
    private let thread: PinnedThread
    private let end: EventDescriptorWaker

    /// Watches signals and shards from now on.
    ///
    /// - Throws: EBUSY when a signal is watched already in this process, EINVAL for one that cannot be
    ///   caught, EMFILE.
    static func start(
        _ runtime: Runtime,
        clocks: [Int: ThreadClock],
        report: @escaping @Sendable (ShardEvent) -> Void
    ) throws(IOError) -> WatchThread {
        let end = try EventDescriptorWaker()
        let signals = try SignalEvents(runtime.configuration.drainSignals)
        do throws(IOError) {
            let thread = try PinnedThread.start(cpu: nil) { _ in
                // Safety: the literal is a C string.
                unsafe cn_name_thread("uring-watch")
                var body = WatchBody(
                    end: end,
                    signals: signals,
                    stalls: StallMonitor(runtime, clocks: clocks),
                    report: report
                )
                body.run()
            }
            return WatchThread(thread: thread, end: end)
        } catch {
            signals.release()
            throw error
        }
    }

    /// Ends it; signals have their previous actions again when this returns.
    func stop() {
        end.wake()
        thread.join()
    }
}

/// What runs on the thread; in steady state it allocates nothing.
private struct WatchBody {
    private let end: EventDescriptorWaker
    private let signals: SignalEvents
    private var stalls: StallMonitor
    private var trim = HeapTrim()
    private let report: @Sendable (ShardEvent) -> Void
    /// The first is the end's, the others the signals'.
    private var polled: [pollfd]

    init(
        end: EventDescriptorWaker,
        signals: SignalEvents,
        stalls: StallMonitor,
        report: @escaping @Sendable (ShardEvent) -> Void
    ) {
        self.end = end
        self.signals = signals
        self.stalls = stalls
        self.report = report
        self.polled = ([end.descriptor] + signals.descriptors).map {
            pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0)
        }
    }

    mutating func run() {
        while true {
            let count = nfds_t(polled.count)
            // Safety: poll(2) reads and writes the list during the call.
            let readyCount = unsafe poll(&polled, count, stalls.pauseMilliseconds)
            if readyCount > 0, polled[0].revents != 0 { break }
            if readyCount > 0 { takeSignal() }
            stalls.check(now: MonotonicClock.nanoseconds())
            trim.check()
        }
        signals.release()
    }

    /// A second signal meets the previous action, and ends the process at once.
    private mutating func takeSignal() {
        guard let entry = polled.first(where: { $0.revents != 0 }),
            let signal = signals.signal(of: Descriptor(rawValue: entry.fd))
        else { return }
        polled.removeLast(polled.count - 1)
        // First: once the drain shows, a second signal must not be taken for the first.
        signals.release()
        report(.drainRequested("signal \(signal)"))
    }
}
