internal import UringLoad

/// A load's result as a person or a program reads it.
struct LoadReport {
    private let result: LoadResult

    init(_ result: LoadResult) {
        self.result = result
    }

    /// Four lines.
    var text: String {
        """
        requests \(result.requests) in \(Self.decimal(result.seconds, digits: 3)) s, \
        \(Self.decimal(result.requestsPerSecond, digits: 0))/s, \
        \(Self.decimal(result.bytesPerSecond / 1e6, digits: 1)) MB/s
        latency \(latencies.map { "\($0.name) \(Self.decimal($0.microseconds, digits: 1)) us" }.joined(separator: ", "))
        after the end \(result.lateRequests) answered, \(result.unansweredRequests) unanswered\(unsent)
        wrong bytes \(result.wrongBytes), lost connections \(result.lostConnections)
        """
    }

    private var unsent: String {
        result.unsentRequests == 0 ? "" : ", \(result.unsentRequests) due but never sent"
    }

    /// The same as one object, with names that stay.
    var json: JSONValue {
        .object([
            ("requests", .integer(result.requests)),
            ("seconds", .number(result.seconds)),
            ("requestsPerSecond", .number(result.requestsPerSecond)),
            ("bytesPerSecond", .number(result.bytesPerSecond)),
            ("latencyMicroseconds", .object(latencies.map { ($0.name, .number($0.microseconds)) })),
            ("lateRequests", .integer(result.lateRequests)),
            ("unansweredRequests", .integer(result.unansweredRequests)),
            ("unsentRequests", .integer(result.unsentRequests)),
            ("wrongBytes", .integer(result.wrongBytes)),
            ("lostConnections", .integer(result.lostConnections)),
            ("firstError", result.firstError.map { .string($0) } ?? .null),
        ])
    }

    private var latencies: [(name: String, microseconds: Double)] {
        let record = result.latencies
        let percentiles = [50.0, 90, 99, 99.9].map { percent in
            let name = percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
            return (name: "p" + name, microseconds: Double(record.percentile(percent)) / 1e3)
        }
        return percentiles + [("max", Double(record.longest) / 1e3)]
    }

    /// A number that is not negative, with this many digits after the point and no exponent.
    private static func decimal(_ value: Double, digits: Int) -> String {
        var scale: UInt64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = UInt64((value * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled % scale)
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(scaled / scale).\(zeros)\(fraction)"
    }
}
