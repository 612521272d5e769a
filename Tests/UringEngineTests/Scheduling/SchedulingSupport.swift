import Dispatch
import Glibc

@testable import UringEngine

/// Notes the tags of the jobs that it ran.
final class RecordingTarget: JobTarget {
    private(set) var tags: [UInt8] = []

    func runJob(tag: UInt8) { tags.append(tag) }
}

/// A waker that a thread can wait for: it counts, so that a wake before the wait is not lost.
final class SemaphoreWaker: Waker {
    private let semaphore = DispatchSemaphore(value: 0)

    func wake() { semaphore.signal() }

    /// Waits at most `seconds`; a lost wake-up must fail a test, not hang it.
    func wait(seconds: Int) -> Bool {
        semaphore.wait(timeout: .now() + .seconds(seconds)) == .success
    }
}

/// Runs `body` on a new thread.
///
/// - Returns: What to join.
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Box(body)).toOpaque()
    let result = pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        argument
    )
    precondition(result == 0, "the test's thread starts")
    return thread
}

extension ReadyQueue {
    /// Runs all jobs; executor jobs must not be among them.
    mutating func runAll() {
        while let job = popFirst() {
            try? job.run { _ in preconditionFailure("no executor job was queued") }
        }
    }
}

extension Job {
    /// Runs the job, once, as the loop would.
    func run(runExecutorJob: (UnownedJob) -> Void) throws {
        switch self {
        case .closure(let body): try body()
        case .target(let target, let tag): target.runJob(tag: tag)
        case .executor(let job, _): runExecutorJob(job)
        }
    }
}
