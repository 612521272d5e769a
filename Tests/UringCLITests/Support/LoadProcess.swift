import Foundation
import Testing

/// `uringcore load --json`, run to its end.
struct LoadProcess {
    let process: ChildProcess

    /// Starts it with `options`, words separated by spaces.
    init(_ target: String, _ options: String, environment: [String: String] = [:]) throws {
        let words = options.split(separator: " ").map(String.init)
        process = try ChildProcess(
            [Programs.uringcore, "load", target, "--json"] + words,
            environment: environment
        )
    }

    /// Waits for its end and reads its report.
    func report() throws -> LoadedReport {
        let output = try process.wait()
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8))
        return LoadedReport(members: try #require(object as? [String: Any]))
    }
}

/// What `--json` printed.
struct LoadedReport {
    let members: [String: Any]

    subscript(_ name: String) -> Int { members[name] as? Int ?? -1 }

    /// A latency in milliseconds, such as that of `p99.9`.
    func milliseconds(_ name: String) -> Double {
        let latencies = members["latencyMicroseconds"] as? [String: Double]
        return (latencies?[name] ?? -1) / 1_000
    }

    var firstError: String? { members["firstError"] as? String }

    /// The requests that were answered, within the window and after it.
    var answered: Int { self["requests"] + self["lateRequests"] }
}

/// A Python echo server with a fault.
final class FaultyServer {
    let process: ChildProcess
    let target: String

    /// Starts it with `fault`, words separated by spaces, and waits until it listens.
    init(_ fault: String = "") throws {
        let words = fault.split(separator: " ").map(String.init)
        process = try ChildProcess(Programs.peer("faulty.py") + words)
        let line = try process.nextLine() ?? ""
        target = line.split(separator: " ").last.map(String.init) ?? ""
    }

    /// Waits until the first bytes came.
    func awaitFirstBytes() throws {
        _ = try process.lines(until: "begun")
    }
}
