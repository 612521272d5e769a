internal import CUring

/// Calls back on the loop when a signal arrives.
///
/// The previous action is restored when the watch ends.
///
/// A sigaction(2) handler writes an eventfd that the loop polls: no work happens in the handler,
/// and it does not matter which thread the kernel picks (a signalfd needs the signal blocked in
/// every thread, and an embedder's main thread was killed).
///
/// > Thread: On-loop only.
public final class SignalWatch {
    private let signal: Int32
    private let event: EventDescriptorWaker
    private var watch: DescriptorWatch?

    /// Starts to watch; one watch per signal and process.
    ///
    /// - Throws: EBUSY when the signal is watched already, EINVAL for one that cannot be caught,
    ///   `.closed` when the loop was shut down.
    public init(
        _ signal: Int32,
        on loop: EventLoop,
        _ action: @escaping () -> Void
    ) throws(IOError) {
        guard !loop.isShutDown else { throw IOError(.watchSignal, reason: .closed) }
        self.signal = signal
        let event = try EventDescriptorWaker()
        self.event = event
        let result = cu_catch_signal(signal, event.descriptor.rawValue)
        guard result == 0 else {
            throw IOError(.watchSignal, errno: Errno(result: result), detail: "signal \(signal)")
        }
        self.watch = loop.watch(event.descriptor) {
            event.drain()
            action()
        }
    }

    /// Restores the previous action.
    ///
    /// A signal that came before may be lost with it.
    public func cancel() {
        guard let watch else { return }
        self.watch = nil
        cu_release_signal(signal)
        // The eventfd must outlive the kernel's poll.
        let event = event
        watch.cancel { _ = event }
    }

    deinit {
        precondition(watch == nil, "a signal watch is cancelled before it is let go")
    }
}
