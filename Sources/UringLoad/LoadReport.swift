/// A result as a person or a program reads it.
///
/// > Thread: Any thread.
package struct LoadReport {
    private let result: LoadResult

    /// Makes the report of a result.
    package init(_ result: LoadResult) {
        self.result = result
    }

    /// Four lines.
    package var text: String {
        let unsent =
            result.unsentRequests > 0 ? ", \(result.unsentRequests) due but never sent" : ""
        return """
            requests \(result.requests) in \(Self.decimal(seconds, digits: 3)) s, \
            \(Self.decimal(requestsPerSecond, digits: 0))/s, \
            \(Self.decimal(bytesPerSecond / 1e6, digits: 1)) MB/s
            latency \(latencies.map { "\($0.title) \(Self.microseconds($0.nanoseconds)) us" }.joined(separator: ", "))
            after the end \(result.lateRequests) answered, \(result.unansweredRequests) unanswered\(unsent)
            wrong bytes \(result.wrongBytes), lost connections \(result.lostConnections)
            """
    }

    /// One JSON object, on one line.
    package var json: String {
        var members = [
            ("requests", "\(result.requests)"),
            ("seconds", Self.decimal(seconds, digits: 6)),
            ("requests_per_second", Self.decimal(requestsPerSecond, digits: 1)),
            ("bytes_per_second", Self.decimal(bytesPerSecond, digits: 1)),
        ]
        members += latencies.map { ("\($0.name)_us", Self.microseconds($0.nanoseconds)) }
        members += [
            ("late_requests", "\(result.lateRequests)"),
            ("unanswered_requests", "\(result.unansweredRequests)"),
            ("unsent_requests", "\(result.unsentRequests)"),
            ("wrong_bytes", "\(result.wrongBytes)"),
            ("lost_connections", "\(result.lostConnections)"),
            ("first_error", result.firstError.map(Self.quoted) ?? "null"),
        ]
        return "{" + members.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
    }

    private var seconds: Double { Double(result.windowNanoseconds) / 1e9 }
    private var requestsPerSecond: Double { perSecond(result.requests) }
    private var bytesPerSecond: Double { perSecond(result.bytes) }

    private func perSecond(_ count: Int) -> Double {
        seconds > 0 ? Double(count) / seconds : 0
    }

    private var latencies: [(title: String, name: String, nanoseconds: UInt64)] {
        let record = result.latencies
        return [
            ("p50", "p50", record.percentile(50)), ("p90", "p90", record.percentile(90)),
            ("p99", "p99", record.percentile(99)), ("p99.9", "p99_9", record.percentile(99.9)),
            ("max", "max", record.longest),
        ]
    }

    // MARK: Numbers and strings

    private static func microseconds(_ nanoseconds: UInt64) -> String {
        decimal(Double(nanoseconds) / 1e3, digits: 1)
    }

    /// A number that is not negative, with this many digits after the point and no exponent.
    static func decimal(_ value: Double, digits: Int) -> String {
        var scale: UInt64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = UInt64((value * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    /// A JSON string (RFC 8259).
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
