internal import Synchronization
internal import UringCore

/// Where the workers of one run meet: they start together, and one's failure ends all.
///
/// > Thread: Any thread.
final class LoadCoordinator: Sendable {
    private struct State {
        var workers: [LoadWorker] = []
        var unreadyCount: Int
        var failure: LoadFailure?
        var results: [LoadResult] = []
    }

    /// Between the last worker's word and the start: each must have got the message by then.
    private static let startDelay = Duration.milliseconds(10)

    private let state: Mutex<State>

    init(workerCount: Int) {
        state = Mutex(State(unreadyCount: workerCount))
    }

    /// A worker is about to run.
    ///
    /// - Returns: false when the run has failed already.
    func join(_ worker: LoadWorker) -> Bool {
        state.withLock { state in
            guard state.failure == nil else { return false }
            state.workers.append(worker)
            return true
        }
    }

    /// All connections of one worker stand; after the last one's word the window begins.
    func workerIsReady() {
        let workers = state.withLock { state in
            state.unreadyCount -= 1
            return state.unreadyCount == 0 ? state.workers : []
        }
        guard !workers.isEmpty else { return }
        let start = Deadline.after(Self.startDelay)
        for worker in workers { worker.post { $0.begin(at: start) } }
    }

    /// The run cannot take place; the first reason is kept.
    func fail(_ reason: String) {
        let workers = state.withLock { state in
            state.failure = state.failure ?? LoadFailure(description: reason)
            return state.workers
        }
        for worker in workers { worker.post { $0.stop() } }
    }

    /// A signal asks for the end.
    func interrupt() {
        let workers = state.withLock { $0.workers }
        for worker in workers { worker.post { $0.interrupt() } }
    }

    /// A worker has ended.
    func leave(_ worker: LoadWorker, result: LoadResult) {
        state.withLock { state in
            state.workers.removeAll { $0 === worker }
            state.results.append(result)
        }
    }

    /// All workers' counts together, once they have ended.
    ///
    /// - Throws: `LoadFailure` when the run did not take place.
    func outcome() throws(LoadFailure) -> LoadResult {
        let (failure, results) = state.withLock { ($0.failure, $0.results) }
        if let failure { throw failure }
        return results.reduce(into: LoadResult()) { $0.add($1) }
    }
}

/// Why a run did not take place, in one line.
///
/// > Thread: Any thread.
package struct LoadFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line.
    package let description: String
}
