public import CoreMetrics
internal import Synchronization

/// Hands the counters of a server's shards to swift-metrics, labelled by shard.
///
/// Nothing is recorded on a hot path: shards count in plain numbers, and `record` reads them when the
/// program asks, every few seconds, say.
///
/// > Thread: Any thread.
public final class MetricsRecorder: Sendable {
    private let supervisor: Supervisor
    private let prefix: String
    private let factory: any MetricsFactory
    private let last = Mutex<[Int: LoopMetrics]>([:])

    /// Describes where the numbers go.
    ///
    /// - Parameters:
    ///   - supervisor: whose shards are read.
    ///   - prefix: the labels begin with it and a dot.
    ///   - factory: makes the metrics; nil takes that of the process.
    public init(
        _ supervisor: Supervisor,
        prefix: String = "uringcore",
        factory: (any MetricsFactory)? = nil
    ) {
        self.supervisor = supervisor
        self.prefix = prefix
        self.factory = factory ?? MetricsSystem.factory
    }

    /// Takes a snapshot of every shard and records it; does nothing while none runs.
    public func record() async {
        for snapshot in await supervisor.snapshot() { record(snapshot) }
    }

    private func record(_ snapshot: ShardSnapshot) {
        let now = snapshot.loop
        let dimensions = [("shard", "\(snapshot.shard)")]
        let before = last.withLock { last in
            defer { last[snapshot.shard] = now }
            // A shard that runs anew counts from zero.
            return last[snapshot.shard].flatMap { $0.ticks <= now.ticks ? $0 : nil }
                ?? LoopMetrics()
        }
        for (name, value) in Self.counters {
            let counter = Counter(label: label(name), dimensions: dimensions, factory: factory)
            counter.increment(by: Int64(clamping: now[keyPath: value] &- before[keyPath: value]))
        }
        for (name, value) in Self.gauges {
            let gauge = Gauge(label: label(name), dimensions: dimensions, factory: factory)
            gauge.record(now[keyPath: value])
        }
        record(snapshot.backend, dimensions)
    }

    /// A one, labelled with what the shard stands on: `uringcore.backend{backend="epoll"}`.
    private func record(_ backend: Backend, _ dimensions: [(String, String)]) {
        let dimensions = dimensions + [("backend", backend.rawValue)]
        Gauge(label: label("backend"), dimensions: dimensions, factory: factory).record(1)
    }

    private func label(_ name: String) -> String { "\(prefix).\(name)" }

    private static var counters: [(String, KeyPath<LoopMetrics, UInt64>)] {
        [
            ("ticks", \.ticks), ("enters", \.enters), ("completions", \.completions),
            ("stale_completions", \.staleCompletions), ("overflows", \.overflows),
            ("connections", \.connections), ("starvations", \.starvations),
            ("copied_receives", \.copiedReceives), ("accept_backoffs", \.acceptBackoffs),
            ("posts", \.posts), ("wakes", \.wakes),
        ]
    }

    private static var gauges: [(String, KeyPath<LoopMetrics, Int>)] {
        [
            ("open_connections", \.openConnections), ("descriptors", \.descriptors),
            ("operations_in_flight", \.operationsInFlight), ("buffers_lent", \.buffersLent),
        ]
    }
}
