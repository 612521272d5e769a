@testable import UringEngine

/// What a timer heap should do, written so that it is plainly right: a list, searched through.
struct TimerModel {
    struct Timer {
        let deadline: UInt64
        let id: TimerID
        let payload: Int
    }

    /// In the order of adding.
    private(set) var timers: [Timer] = []

    var nextDeadline: UInt64? { timers.map(\.deadline).min() }

    mutating func add(_ timer: Timer) { timers.append(timer) }

    mutating func cancel(_ id: TimerID) -> Int? {
        guard let index = timers.firstIndex(where: { $0.id == id }) else { return nil }
        return timers.remove(at: index).payload
    }

    mutating func popDue(now: UInt64) -> Int? {
        guard let next = nextDeadline, next <= now else { return nil }
        guard let index = timers.firstIndex(where: { $0.deadline == next }) else { return nil }
        return timers.remove(at: index).payload
    }
}

/// Pops all timers, whenever they are due.
func drain(_ heap: inout TimerHeap<Int>) -> [Int] {
    var popped: [Int] = []
    while let payload = heap.popDue(now: .max) { popped.append(payload) }
    return popped
}
