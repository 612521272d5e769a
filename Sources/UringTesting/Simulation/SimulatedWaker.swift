internal import Synchronization
internal import UringEngine

/// The waker of a simulated driver.
///
/// > Thread: Any thread; in a simulation there is one only.
final class SimulatedWaker: Waker {
    private let pending = Atomic(false)

    func wake() {
        pending.store(true, ordering: .releasing)
    }

    var isPending: Bool { pending.load(ordering: .acquiring) }

    /// Takes the pending wake, and returns whether there was one.
    func take() -> Bool {
        pending.exchange(false, ordering: .acquiringAndReleasing)
    }
}
