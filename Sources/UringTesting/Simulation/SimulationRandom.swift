/// The source of chance in a simulation: SplitMix64.
///
/// A test draws from `Simulation.random`, so that its own choices come from the seed too. Plain arithmetic, so that a seed means the same run in every build and process.
///
/// > Thread: On the simulation's thread only.
public struct SimulationRandom: RandomNumberGenerator {
    private var state: UInt64

    /// Begins the numbers of a seed.
    public init(seed: UInt64) {
        self.state = seed
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A number from zero to below `limit`, which is at least one.
    public mutating func below(_ limit: Int) -> Int {
        limit > 1 ? Int(truncatingIfNeeded: next() >> 33) % limit : 0
    }

    /// A number from `low` to `high`.
    public mutating func between(_ low: Int, _ high: Int) -> Int {
        low + below(high - low + 1)
    }

    /// True so many times in a thousand; zero draws nothing.
    public mutating func happens(_ perThousand: Int) -> Bool {
        perThousand > 0 && below(1_000) < perThousand
    }

    /// One of several values.
    public mutating func pick<Value>(_ values: [Value]) -> Value {
        values[below(values.count)]
    }
}
