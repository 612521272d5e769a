import Glibc

@testable import UringEngine

/// Notes the tags of the jobs that it ran.
final class RecordingTarget: JobTarget {
    private(set) var tags: [UInt8] = []

    func runJob(tag: UInt8) { tags.append(tag) }
}

/// A waker that a thread can wait for: it counts, so that a wake before the wait is not lost.
final class SemaphoreWaker: Waker, @unchecked Sendable {
    // Sendable unchecked: sem_post(3) and sem_wait(3) are made for this; the pointer never changes.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func wake() { sem_post(semaphore) }

    /// Waits at most `seconds`; a lost wake-up must fail a test, not hang it.
    func wait(seconds: Int) -> Bool {
        var until = timespec()
        clock_gettime(CLOCK_REALTIME, &until)
        until.tv_sec += seconds
        while sem_timedwait(semaphore, &until) != 0 {
            if errno != EINTR { return false }
        }
        return true
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
