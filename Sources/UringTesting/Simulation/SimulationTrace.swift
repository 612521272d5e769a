import UringEngine

/// What happened in a simulation, in order: a hash of all of it, and the last of it for a person.
///
/// Lines are kept as numbers and written out only when somebody asks: most runs end well.
///
/// > Thread: On the simulation's thread only.
struct SimulationTrace {
    /// What a line tells.
    enum Event: UInt8 {
        case tick, wait, spuriousWake, handOver, complete, reap, control, segment, fin, reset
        case handshake, clock, client, buffers, note
    }

    struct Entry {
        let clock: UInt64
        let event: Event
        /// The shard, or -1 for the network and the clients.
        let shard: Int
        let words: (Int, Int, Int)
        let text: StaticString
    }

    private let entriesMax: Int
    private var entries: [Entry] = []
    private var next = 0
    private(set) var count = 0
    /// Equal for equal runs; different ones differ somewhere in it.
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(entriesMax: Int) {
        self.entriesMax = max(1, entriesMax)
    }

    mutating func add(
        _ event: Event,
        shard: Int,
        clock: UInt64,
        _ words: (Int, Int, Int),
        _ text: StaticString = ""
    ) {
        mix(UInt64(event.rawValue) | UInt64(truncatingIfNeeded: shard) << 8)
        mix(clock)
        mix(UInt64(bitPattern: Int64(words.0)))
        mix(UInt64(bitPattern: Int64(words.1)))
        mix(UInt64(bitPattern: Int64(words.2)))
        count += 1
        let entry = Entry(clock: clock, event: event, shard: shard, words: words, text: text)
        if entries.count < entriesMax {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % entriesMax
        }
    }

    private mutating func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
    }

    /// The last `countMax` lines, oldest first.
    func lines(last countMax: Int) -> [String] {
        let ordered = entries[next...] + entries[..<next]
        return ordered.suffix(countMax).map(\.line)
    }
}

extension SimulationTrace.Entry {
    fileprivate var line: String {
        let microseconds = (clock - SimulatedKernel.startNanoseconds) / 1_000
        let place = shard < 0 ? "network" : "shard \(shard)"
        return "\(microseconds) µs  \(place)  \(what)"
    }

    private var token: String { OperationToken(rawValue: UInt64(words.0)).text }

    private var what: String {
        switch event {
        case .tick: "tick"
        case .wait: words.0 < 0 ? "waits for ever" : "waits until \(words.0 / 1_000) µs"
        case .spuriousWake: "wakes for nothing"
        case .handOver: "asks: \(token) on fd \(words.1)" + (words.2 == 0 ? "" : ", \(words.2)")
        case .complete:
            "answers: \(token) with \(result(words.1))" + (words.2 == 1 ? ", more" : "")
        case .reap: "reaps \(words.0)"
        case .control: "\(text) on fd \(words.0)" + (words.1 == 0 ? "" : ": \(words.1)")
        case .segment: "\(words.1) bytes reach socket \(words.0)"
        case .fin: "the end of the stream reaches socket \(words.0)"
        case .reset: "a reset reaches socket \(words.0)"
        case .handshake: "socket \(words.0) and socket \(words.1): \(text)"
        case .clock: "the clock moves to here"
        case .client: "client \(words.0) \(text) \(words.1)"
        case .buffers: "gets \(words.0) buffers"
        case .note: "\(text) \(words.0)"
        }
    }

    private func result(_ word: Int) -> String {
        word < 0 ? Errno(rawValue: Int32(-word)).description : "\(word)"
    }
}
