internal import Synchronization
internal import UringEngine

/// The waker of a `ScriptedDriver`: it counts.
///
/// The driver never blocks, so a wake from another thread only counts when it came before the wait
/// it is meant for.
///
/// > Thread: Any thread.
package final class ScriptedWaker: Waker {
    private struct State {
        var wakeCount = 0
        var isPending = false
    }

    private let state = Mutex(State())

    /// Counts a wake, and leaves it pending for the next wait.
    package func wake() {
        state.withLock { state in
            state.wakeCount += 1
            state.isPending = true
        }
    }

    /// How often `wake` was called.
    package var wakeCount: Int { state.withLock { $0.wakeCount } }

    /// A wake came that no wait has seen.
    package var isPending: Bool { state.withLock { $0.isPending } }

    /// Takes the pending wake, and returns whether there was one.
    func take() -> Bool {
        state.withLock { state in
            let wasPending = state.isPending
            state.isPending = false
            return wasPending
        }
    }
}
