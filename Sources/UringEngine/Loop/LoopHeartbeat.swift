internal import Synchronization

/// What a loop tells other threads about itself without being asked: that it turns, that it sleeps,
/// and how many connections it has.
///
/// > Thread: Any thread reads; the loop's thread writes.
package final class LoopHeartbeat: Sendable {
    // Relaxed but for `waits`: each is a number on its own. Who sees that the loop does not wait any more
    // also sees that it was woken.
    private let tickCount = Atomic<UInt64>(0)
    private let wakeCount = Atomic<UInt64>(0)
    private let waits = Atomic(true)
    private let connections = Atomic(0)

    /// Changes whenever the loop begins a turn or comes back from a wait, which is within one.
    package var beats: UInt64 {
        tickCount.load(ordering: .relaxed) &+ wakeCount.load(ordering: .relaxed)
    }

    /// The loop waits for work, in the kernel or spinning, or does not run.
    package var isParked: Bool { waits.load(ordering: .acquiring) }

    /// Connections open now.
    package var openConnections: Int { connections.load(ordering: .relaxed) }

    /// The loop begins a turn.
    @inline(__always)
    func beat(_ ticks: UInt64) {
        tickCount.store(ticks, ordering: .relaxed)
    }

    /// The loop is about to wait, or has waited.
    @inline(__always)
    func publish(isParked: Bool) {
        // Else the time that it slept would pass for a stall.
        if !isParked {
            wakeCount.store(wakeCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        }
        waits.store(isParked, ordering: .releasing)
    }

    @inline(__always)
    func publish(openConnections: Int) {
        connections.store(openConnections, ordering: .relaxed)
    }
}
