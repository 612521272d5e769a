import Testing

@testable import UringEngine

@Suite struct TimerHeapRandomTests {
    /// A random run of the heap and the model beside it.
    private struct Run: ~Copyable {
        var heap = TimerHeap<Int>()
        var model = TimerModel()
        var known: [TimerID] = []
        var random: SplitMix
        var now: UInt64 = 0
        var isAgreeing = true

        init(seed: UInt64) { random = SplitMix(seed: seed) }

        mutating func step(_ number: Int, spread: UInt64) {
            switch random.next() % 8 {
            case 0...3: add(number, spread: spread)
            case 4, 5: cancel()
            case 6: now += random.next() % (spread / 4 + 1)
            default: pop()
            }
            let isSame = heap.count == model.timers.count && heap.nextDeadline == model.nextDeadline
            isAgreeing = isAgreeing && isSame
            heap.checkInvariants()
        }

        mutating func add(_ payload: Int, spread: UInt64) {
            let deadline = now + random.next() % spread
            let id = heap.add(deadline: deadline, payload: payload)
            model.add(.init(deadline: deadline, id: id, payload: payload))
            known.append(id)
        }

        /// Stale ones too: IDs are never forgotten.
        mutating func cancel() {
            guard !known.isEmpty else { return }
            let id = known[Int(random.next() % UInt64(known.count))]
            isAgreeing = isAgreeing && heap.cancel(id) == model.cancel(id)
        }

        mutating func pop() {
            for _ in 0..<(random.next() % 16) {
                isAgreeing = isAgreeing && heap.popDue(now: now) == model.popDue(now: now)
            }
        }
    }

    @Test(arguments: [1, 4, 64, 1_000_000] as [UInt64])
    func agreesWithTheModel(spread: UInt64) {
        for _ in 0..<20 {
            let seed = UInt64.random(in: .min ... .max)
            var run = Run(seed: seed)
            for number in 0..<300 { run.step(number, spread: spread) }
            let isAgreeing = run.isAgreeing
            #expect(isAgreeing, "seed \(seed), spread \(spread)")
        }
    }

    @Test func holdsAMillionTimers() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        var heap = TimerHeap<Int>()
        var ids: [TimerID] = []
        for payload in 0..<1_000_000 {
            ids.append(heap.add(deadline: random.next() % 1_000_000, payload: payload))
        }
        #expect(heap.count == 1_000_000, "seed \(seed)")
        var cancelled = 0
        for index in stride(from: 0, to: ids.count, by: 2) where heap.cancel(ids[index]) != nil {
            cancelled += 1
        }
        #expect(cancelled == 500_000, "seed \(seed)")
        var latest: UInt64 = 0
        var isOrdered = true
        for _ in 0..<100_000 {
            let next = heap.nextDeadline ?? 0
            isOrdered = isOrdered && next >= latest
            latest = next
            if (heap.popDue(now: next) ?? 0) % 2 == 0 { isOrdered = false }
        }
        #expect(isOrdered, "seed \(seed)")
        #expect(heap.count == 400_000, "seed \(seed)")
        heap.checkInvariants()
        #expect(heap.removeAll().count == 400_000, "seed \(seed)")
    }
}

/// A generator whose whole run follows from its seed.
private struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
