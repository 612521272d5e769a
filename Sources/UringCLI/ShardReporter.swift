internal import Glibc
internal import UringCore

/// Prints what the shards of a server have counted, a line a period.
struct ShardReporter {
    private let supervisor: Supervisor

    init(_ supervisor: Supervisor) {
        self.supervisor = supervisor
    }

    /// Prints until its task is cancelled, from when `isReady` is true.
    func report(every period: Duration, when isReady: () -> Bool) async {
        // A cancelled sleep throws; that is the end.
        while (try? await Task.sleep(for: period)) != nil {
            guard isReady() else { continue }
            let snapshots = await supervisor.snapshot()
            // Empty after the run's end; cancelled while a shard took its time to answer.
            guard !snapshots.isEmpty, !Task.isCancelled else { continue }
            await Self.write("report \(Self.json(snapshots, at: Self.now()).line)\n")
        }
    }

    /// Writes a line, unless nobody takes it: a full pipe must hold up neither the next report nor the end.
    ///
    /// Not by `print`: what waits in it keeps stdout's lock, and exit(3) would wait for that.
    private static func write(_ line: String) async {
        let bytes = Array(line.utf8)
        var offset = 0
        while offset < bytes.count {
            guard isOutputWritable else {
                // A line that was begun is finished, should its reader come back.
                let isOver = (try? await Task.sleep(for: .milliseconds(20))) == nil
                if offset == 0 || isOver { return }
                continue
            }
            // A pipe that is writable takes as much without waiting (pipe(7)).
            let end = min(offset + Int(PIPE_BUF), bytes.count)
            // Safety: write(2) reads the bytes during the call.
            let count = unsafe bytes[offset..<end].withUnsafeBytes { piece in
                unsafe Glibc.write(STDOUT_FILENO, piece.baseAddress, piece.count)
            }
            if count < 0, errno != EINTR { return }
            offset += max(count, 0)
        }
    }

    private static var isOutputWritable: Bool {
        var output = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        // Safety: poll(2) reads and writes the structure during the call.
        return unsafe poll(&output, 1, 0) == 1
    }

    /// One object, with names that stay.
    static func json(_ snapshots: [ShardSnapshot], at time: Double) -> JSONValue {
        .object([("time", .number(time)), ("shards", .array(snapshots.map(json)))])
    }

    private static func json(_ snapshot: ShardSnapshot) -> JSONValue {
        let counters = counters.map { name, value in
            (name, JSONValue.integer(Int(clamping: snapshot.loop[keyPath: value])))
        }
        let gauges = gauges.map { name, value in
            (name, JSONValue.integer(snapshot.loop[keyPath: value]))
        }
        return .object([("shard", .integer(snapshot.shard))] + gauges + counters)
    }

    /// What goes up and down.
    private static var gauges: [(String, KeyPath<LoopMetrics, Int>)] {
        [
            ("openConnections", \.openConnections), ("descriptors", \.descriptors),
            ("operationsInFlight", \.operationsInFlight), ("buffersLent", \.buffersLent),
        ]
    }

    /// What only grows.
    private static var counters: [(String, KeyPath<LoopMetrics, UInt64>)] {
        [
            ("connections", \.connections), ("starvations", \.starvations),
            ("copiedReceives", \.copiedReceives), ("acceptBackoffs", \.acceptBackoffs),
            ("overflows", \.overflows), ("staleCompletions", \.staleCompletions),
            ("ticks", \.ticks), ("enters", \.enters), ("completions", \.completions),
            ("posts", \.posts), ("wakes", \.wakes),
        ]
    }

    /// Seconds of Unix time.
    private static func now() -> Double {
        var time = timespec()
        // Safety: clock_gettime(2) writes the time during the call; this clock is always there.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
