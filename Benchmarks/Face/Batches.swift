import UringCore
import UringEngine

typealias Row = (String, Double)

/// The median time of one of `count` steps, over batches; the first batch warms up.
func median(
    of batches: Int,
    steps count: Int,
    _ body: () async throws -> Void
) async rethrows -> Double {
    var times: [Double] = []
    for batch in 0...batches {
        let begin = MonotonicClock.nanoseconds()
        try await body()
        let time = Double(MonotonicClock.nanoseconds() - begin) / Double(count)
        if batch > 0 { times.append(time) }
    }
    return times.sorted()[times.count / 2]
}

/// Two ends of one Unix stream, both on the calling shard, as a socketpair's are.
func withPair(
    on shard: Shard,
    _ body: @escaping @Sendable (Connection, Connection) async throws -> [Row]
) async throws -> [Row] {
    let endpoint = Endpoint.abstract(name: "uringcore-face-\(MonotonicClock.nanoseconds())")
    let listener = try shard.listen(endpoint)
    var accepted = listener.connections.makeAsyncIterator()
    async let connecting = shard.connect(to: endpoint)
    guard let there = try await accepted.next() else { return [] }
    return try await connecting.use { here in
        try await there.use { try await body(here, $0) }
    }
}
