internal import Synchronization

/// One call to another shard that a task waits for.
///
/// What comes first ends the wait: the result, a cancellation, or a deadline. The others are dropped.
///
/// > Thread: Any thread.
final class SubmittedCall<Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, any Error>

    @safe private enum State {
        case fresh
        // Safety: resumed exactly once, by whoever takes it out.
        case waiting(HandedContinuation<Value, any Error>)
        /// It ended before its task suspended.
        case early(Outcome)
        case over
    }

    private let state = Mutex(State.fresh)

    /// Nobody waits for it any more.
    var isOver: Bool {
        state.withLock { state in
            switch state {
            case .fresh, .waiting: false
            case .early, .over: true
            }
        }
    }

    /// The task suspends.
    // Safety: as of the state.
    func suspend(_ continuation: HandedContinuation<Value, any Error>) {
        let early = state.withLock { state -> Outcome? in
            if case .early(let outcome) = state {
                state = .over
                return outcome
            }
            unsafe state = .waiting(continuation)
            return nil
        }
        if let early { unsafe continuation.resume(with: early) }
    }

    /// Ends the wait, unless it has ended.
    // Safety: as of the state.
    func end(_ outcome: Outcome) {
        let waiting = unsafe state.withLock { state -> HandedContinuation<Value, any Error>? in
            switch state {
            case .fresh: state = .early(outcome)
            case .waiting(let continuation):
                state = .over
                return unsafe continuation
            case .early, .over: break
            }
            return nil
        }
        if let waiting = unsafe waiting { unsafe waiting.resume(with: outcome) }
    }
}
