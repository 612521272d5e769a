internal import CNUMA
internal import CUring
internal import Glibc

/// A thread that is bound to one CPU before it does anything, so that what it touches first lies
/// near that CPU.
///
/// > Thread: `start` and `join` on the thread that owns it.
public struct PinnedThread {
    private let thread: pthread_t

    /// Starts a thread on `cpu`.
    ///
    /// When it cannot be bound there, `body` gets the reason and decides.
    ///
    /// - Throws: EAGAIN of pthread_create(3).
    public static func start(
        cpu: Int,
        _ body: @escaping @Sendable (_ pinFailure: IOError?) -> Void
    ) throws(IOError) -> PinnedThread {
        let start = ThreadStart { body(Self.pin(to: cpu)) }
        // Safety: the new thread takes over the reference; without a thread it is taken back here.
        let argument = unsafe Unmanaged.passRetained(start)
        var thread = pthread_t()
        let result = unsafe pthread_create(&thread, nil, runThread, argument.toOpaque())
        guard result == 0 else {
            unsafe argument.release()
            throw IOError(.post, errno: Errno(rawValue: result), detail: "no thread for CPU \(cpu)")
        }
        return PinnedThread(thread: thread)
    }

    /// Waits for its end.
    public func join() {
        pthread_join(thread, nil)
    }

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
