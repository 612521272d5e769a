internal import Synchronization

/// What a loop tells other threads about itself without being asked: that it turns, that it sleeps,
/// and how many connections it has.
///
/// > Thread: Any thread reads; the loop's thread writes.
package final class LoopHeartbeat: Sendable {
    // Relaxed throughout: each is a number on its own, and orders nothing.
    private let tickCount = Atomic<UInt64>(0)
    private let waits = Atomic(true)
    private let connections = Atomic(0)

    /// Turns of the loop so far.
    package var ticks: UInt64 { tickCount.load(ordering: .relaxed) }

    /// The loop waits for work, in the kernel or spinning, or does not run.
    package var isParked: Bool { waits.load(ordering: .relaxed) }

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
        waits.store(isParked, ordering: .relaxed)
    }

    @inline(__always)
    func publish(openConnections: Int) {
        connections.store(openConnections, ordering: .relaxed)
    }
}
