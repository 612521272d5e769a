import Glibc

/// A thread of its own for blocking work, joined with a deadline.
final class WorkThread<Value>: @unchecked Sendable {
    private let result = Drop<Result<Value, any Error>>()
    private var thread = pthread_t()
    private var isJoined = false

    init(_ body: @escaping @Sendable () throws -> Value) {
        let result = result
        let start = ThreadStart { result.put(Result { try body() }) }
        let context = Unmanaged.passRetained(start).toOpaque()
        let failure = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue().body()
                return nil
            },
            context
        )
        precondition(failure == 0, "a test can start a thread")
    }

    /// One that nobody waits for leaves nothing behind when it has ended.
    deinit {
        if !isJoined { pthread_detach(thread) }
    }

    /// Waits for the end and gives what the work gave.
    func join() throws -> Value {
        let result = try result.take("the end of a thread")
        pthread_join(thread, nil)
        isJoined = true
        return try result.get()
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
