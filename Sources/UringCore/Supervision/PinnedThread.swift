internal import CNUMA
internal import CUring
internal import Glibc

/// A thread that is bound to one CPU before it does anything, so that what it touches first lies
/// near that CPU.
///
/// > Thread: `start` and `join` on the thread that owns it.
public struct PinnedThread: @unchecked Sendable {
    // Safety: the handle is a number.
    private let thread: pthread_t

    /// Starts a thread on `cpu`, or wherever the scheduler likes when that is nil.
    ///
    /// When it cannot be bound there, `body` gets the reason and decides.
    ///
    /// - Parameters:
    ///   - cpu: the CPU to bind to.
    ///   - isDetached: nobody will join it.
    ///   - body: what runs on it.
    /// - Returns: the thread, to be joined unless it is detached.
    /// - Throws: EAGAIN of pthread_create(3).
    @discardableResult
    public static func start(
        cpu: Int?,
        isDetached: Bool = false,
        _ body: @escaping @Sendable (_ pinFailure: IOError?) -> Void
    ) throws(IOError) -> PinnedThread {
        let start = ThreadStart { body(cpu.flatMap { Self.pin(to: $0) }) }
        // Safety: the new thread takes over the reference; without a thread it is taken back here.
        let argument = unsafe Unmanaged.passRetained(start)
        var thread = pthread_t()
        let result = unsafe pthread_create(&thread, nil, runThread, argument.toOpaque())
        guard result == 0 else {
            unsafe argument.release()
            let errno = Errno(rawValue: result)
            let place = cpu.map { "for CPU \($0); " } ?? ""
            throw IOError(.startThread, errno: errno, detail: place + Self.limits)
        }
        if isDetached { pthread_detach(thread) }
        return PinnedThread(thread: thread)
    }

    /// Waits for its end.
    public func join() {
        pthread_join(thread, nil)
    }

    private static let limits =
        "see `ulimit -u`, the cgroup's pids.max, and the memory left for stacks"

    private static func pin(to cpu: Int) -> IOError? {
        let result = cn_pin_to_cpu(Int32(cpu))
        guard result < 0 else { return nil }
        return IOError(.setOption, errno: Errno(rawValue: -result), detail: "pin to CPU \(cpu)")
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

// A free function: a closure made on the main actor would be checked for it on the new thread, and
// trap.
private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // Safety: the argument is the reference that `start` handed over.
    guard let argument = unsafe argument else { return nil }
    unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body()
    return nil
}
