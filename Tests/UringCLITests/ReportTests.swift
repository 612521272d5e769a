import Foundation
import Testing

/// The lines of `uringcore echo --report`.
@Suite("Reports of a server")
struct ReportTests {
    /// What one line holds, without its time.
    private func shards(of line: String) throws -> [[String: Int]] {
        let text = try #require(line.hasPrefix("report ") ? line.dropFirst(7) : nil, "\(line)")
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(object?["time"] is Double)
        return try #require(object?["shards"] as? [[String: Int]])
    }

    @Test func nameEveryShardAndItsCounters() throws {
        let server = try EchoProcess(
            options: ["--report", "0.01"],
            environment: ["URINGCORE_CORE_COUNT": "2"]
        )
        let shards = try shards(of: #require(try server.process.nextLine()))
        #expect(shards.map { $0["shard"] } == [0, 1])
        for name in [
            "openConnections", "descriptors", "operationsInFlight", "buffersLent", "connections",
            "starvations", "copiedReceives", "acceptBackoffs", "overflows", "staleCompletions",
            "ticks", "enters", "completions", "posts", "wakes",
        ] {
            #expect(shards.allSatisfy { $0[name] != nil }, "\(name)")
        }
        try server.stop()
    }

    @Test(arguments: ["callback", "async"])
    func showThatAllIsGivenBack(_ style: String) throws {
        let server = try EchoProcess(options: ["--report", "0.01", "--style", style])
        let before = try shards(of: #require(try server.process.nextLine()))
        try server.echo(byteCount: 100_000, connections: 3)
        func sum(_ name: String, _ shards: [[String: Int]]) -> Int {
            shards.reduce(0) { $0 + ($1[name] ?? -1) }
        }
        // Each line comes by itself; a server that kept something would never print the last one.
        var isAllBack = false
        while !isAllBack, let line = try server.process.nextLine() {
            let now = try shards(of: line)
            let isBack = ["openConnections", "descriptors", "operationsInFlight", "buffersLent"]
                .allSatisfy { sum($0, now) == sum($0, before) }
            isAllBack = sum("connections", now) == 3 && isBack
        }
        #expect(isAllBack)
        try server.stop()
    }
}
