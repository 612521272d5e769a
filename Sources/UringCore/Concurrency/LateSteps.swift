internal import CNUMA
internal import Synchronization

/// Runs steps of Swift tasks whose shard has ended: a step that is dropped would leave its task, and
/// all that waits for it, hanging for ever.
///
/// At most one thread in the process, which lives while there are steps; so what was serial on a shard
/// stays serial.
///
/// > Thread: Any thread.
final class LateSteps: Sendable {
    static let shared = LateSteps()

    private struct State {
        var steps: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let state = Mutex(State())

    private init() {}

    /// Queues a step.
    func run(_ step: @escaping @Sendable () -> Void) {
        let startsThread = state.withLock { state in
            state.steps.append(step)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard startsThread else { return }
        do throws(IOError) {
            // Not joined: it ends when there is nothing left to run.
            try PinnedThread.start(cpu: nil, isDetached: true) { _ in
                // Safety: the literal is a C string.
                unsafe cn_name_thread("uring-late")
                self.runAll()
            }
        } catch {
            // No thread can be had: better here than never.
            runAll()
        }
    }

    private func runAll() {
        while let steps = takeAll() {
            for step in steps { step() }
        }
    }

    /// Nil when nothing is left: the next step starts a thread again.
    private func takeAll() -> [@Sendable () -> Void]? {
        state.withLock { state in
            guard !state.steps.isEmpty else {
                state.isRunning = false
                return nil
            }
            defer { state.steps = [] }
            return state.steps
        }
    }
}
