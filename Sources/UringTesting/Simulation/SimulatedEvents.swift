/// What will happen outside of the loops, by time; what has the same time happens in the order in
/// which it was set.
///
/// > Thread: On the simulation's thread only.
struct SimulatedEvents {
    /// What happens.
    enum Action {
        /// The kernel looks at an operation.
        case attempt(SimulatedOperation)
        /// A socket sends what it may.
        case transmit(SimulatedSocket)
        case segment(SimulatedSocket, [UInt8])
        case datagram(SimulatedFlight)
        case fin(SimulatedSocket)
        case reset(SimulatedSocket)
        /// A connecting socket's first packet reaches its listener.
        case handshake(SimulatedSocket, try: Int)
        /// The answer to it comes back.
        case established(SimulatedSocket)
        case connectFailed(SimulatedSocket, Int32)
        /// Something of the simulation's own.
        case call(() -> Void)
    }

    private struct Event {
        let time: UInt64
        let number: UInt64
        let action: Action

        func comes(before other: Event) -> Bool {
            time < other.time || time == other.time && number < other.number
        }
    }

    // A binary heap.
    private var heap: [Event] = []
    private var numbersGiven: UInt64 = 0

    var count: Int { heap.count }
    /// When the next one happens; nil when nothing will.
    var nextTime: UInt64? { heap.first?.time }

    mutating func add(at time: UInt64, _ action: Action) {
        numbersGiven += 1
        heap.append(Event(time: time, number: numbersGiven, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].comes(before: heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the next one out, if its time has come.
    mutating func popDue(now: UInt64) -> Action? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return first.action
    }

    mutating func removeAll() {
        heap.removeAll()
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].comes(before: heap[smallest]) { smallest = child }
            }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
