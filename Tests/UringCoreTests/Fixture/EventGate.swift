import Dispatch
import Synchronization
import Testing
import UringEngine

/// A wait that did not end in time: a test fails with it, none hangs.
struct Overdue: Error, CustomStringConvertible {
    let what: String

    var description: String { "no sign of this within \(EventGate.patienceSeconds) s: \(what)" }
}

/// Counts events on some thread, for another that waits for them.
final class EventGate: Sendable {
    /// Far beyond what anything here takes, so that a loaded machine fails no test.
    static let patienceSeconds = 60 * slowdown

    private let semaphore = DispatchSemaphore(value: 0)

    func open() {
        semaphore.signal()
    }

    /// Blocks until one event has come.
    func wait(_ what: String) throws {
        let deadline = DispatchTime.now() + .seconds(Self.patienceSeconds)
        guard semaphore.wait(timeout: deadline) == .success else { throw Overdue(what: what) }
    }

    /// As `wait`, from a task.
    func opened(_ what: String) async throws {
        try await onThread { try self.wait(what) }
    }
}

/// A value that one thread leaves for another.
final class LeftValue<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let gate = EventGate()

    func put(_ new: Value) {
        value.withLock { $0 = new }
        gate.open()
    }

    func take(_ what: String) throws -> Value {
        try gate.wait(what)
        return try #require(value.withLock { $0.take() })
    }
}

/// An array behind a lock.
final class SharedList<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }

    func append(_ element: Element) {
        elements.withLock { $0.append(element) }
    }

    /// Lets go of all: for one that holds what holds it.
    func removeAll() {
        // What goes ends out of the lock.
        _ = elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
    }
}

/// A count that any thread may change.
final class SharedCount: Sendable {
    private let atomic = Atomic(0)

    var value: Int { atomic.load(ordering: .acquiring) }

    func raise(to count: Int) {
        atomic.max(count, ordering: .acquiringAndReleasing)
    }

    @discardableResult
    func add(_ count: Int = 1) -> Int {
        atomic.add(count, ordering: .acquiringAndReleasing).newValue
    }
}

/// Counts the objects that are alive: what captures one is counted until it has ended.
final class CountedToken: Sendable {
    private let alive: SharedCount

    init(_ alive: SharedCount) {
        self.alive = alive
        alive.add()
    }

    deinit {
        alive.add(-1)
    }
}

/// A gate that a task waits at, opened once by any thread.
final class TaskGate: Sendable {
    private enum State {
        case closed
        case awaited(HandedContinuation<Void, Never>)
        case open
    }

    private let state = Mutex(State.closed)

    func open() {
        let waiting = state.withLock { state -> HandedContinuation<Void, Never>? in
            defer { state = .open }
            guard case .awaited(let continuation) = state else { return nil }
            return continuation
        }
        waiting?.resume()
    }

    /// Waits, whether or not the task is cancelled.
    func opened() async {
        await withHandedContinuation { continuation in
            let isOpen = state.withLock { state in
                if case .open = state { return true }
                state = .awaited(continuation)
                return false
            }
            if isOpen { continuation.resume() }
        }
    }
}
