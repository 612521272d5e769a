import Dispatch
import Synchronization
import Testing
import UringEngine

/// A wait that did not end in time.
///
/// A test fails with it; none hangs.
struct TimedOut: Error, CustomStringConvertible {
    let what: String

    var description: String { "no sign of this within \(Gate.patienceSeconds) s: \(what)" }
}

/// Counts events on one thread, for another that waits for them.
final class Gate: Sendable {
    /// Far beyond what anything here takes, so that a loaded machine fails no test.
    static let patienceSeconds = 120 * slowdown

    private let semaphore = DispatchSemaphore(value: 0)

    func open() {
        semaphore.signal()
    }

    /// Waits for one event.
    func wait(_ what: String) throws {
        let deadline = DispatchTime.now() + .seconds(Self.patienceSeconds)
        guard semaphore.wait(timeout: deadline) == .success else { throw TimedOut(what: what) }
    }
}

/// A value that one thread leaves for another; a gate orders the two.
final class Drop<Value>: @unchecked Sendable {
    private var value: Value?
    private let gate = Gate()

    func put(_ value: Value) {
        self.value = value
        gate.open()
    }

    func take(_ what: String) throws -> Value {
        try gate.wait(what)
        return try #require(value)
    }
}

/// Hands a value that no second thread uses meanwhile to a closure that must be Sendable.
struct Handed<Value>: @unchecked Sendable {
    let value: Value
}

/// An array behind a lock.
final class LockedList<Element>: @unchecked Sendable {
    // Sendable: the lock guards the elements.
    private let lock = Mutex(())
    private var elements: [Element] = []

    var all: [Element] { lock.withLock { _ in elements } }

    func append(_ element: Element) {
        lock.withLock { _ in elements.append(element) }
    }

    func takeFirst() -> Element {
        lock.withLock { _ in elements.removeFirst() }
    }
}

/// A count that any thread may raise.
final class Counter: Sendable {
    private let atomic = Atomic(0)

    var value: Int { atomic.load(ordering: .acquiring) }

    @discardableResult
    func add(_ count: Int = 1) -> Int {
        atomic.add(count, ordering: .acquiringAndReleasing).newValue
    }
}
