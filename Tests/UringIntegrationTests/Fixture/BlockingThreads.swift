import Dispatch
import Synchronization
import UringEngine

/// Threads that carry out what a loop offloads: as few as wanted, with a limit to what waits.
final class BlockingThreads: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var isOver = false
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)
    private let threads: Mutex<[WorkThread<Void>]> = Mutex([])
    private let waitingMax: Int
    /// What was refused, because too much waited.
    let refusals = Counter()
    /// What was carried out.
    let carriedOut = Counter()

    init(count: Int = 2, waitingMax: Int = 1_000) {
        self.waitingMax = waitingMax
        let made = (0..<count).map { _ in WorkThread { self.run() } }
        threads.withLock { $0 = made }
    }

    /// As `LoopOptions.offload` wants it.
    func take(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isOver, state.work.count < waitingMax else { return false }
            state.work.append(work)
            return true
        }
        if isTaken { signal.signal() } else { refusals.add() }
        return isTaken
    }

    private func run() {
        while true {
            signal.wait()
            let work = state.withLock { $0.work.isEmpty ? nil : $0.work.removeFirst() }
            guard let work else { return }
            work()
            carriedOut.add()
        }
    }

    /// Carries out what waits, and ends the threads.
    func end() throws {
        state.withLock { $0.isOver = true }
        let ending = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for _ in ending { signal.signal() }
        for thread in ending { try thread.join() }
    }
}
