import Testing

/// Where the shards' threads run, as the tool tells it.
@Suite("Shards' places")
struct PlacementTests {
    @Test(arguments: ["EPERM", "EINVAL"])
    func areNotClaimedWhenAThreadCannotBeBound(_ error: String) throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("sched_setaffinity", "error=\(error)")
        )
        try server.echo(byteCount: 100_000)
        try server.stop()
        #expect(!server.lines.isEmpty)
        for line in server.lines {
            #expect(line.wholeMatch(of: /shard [0-9]+: listening on .*/) != nil, "\(line)")
        }
        let warnings = server.process.errorLines.filter { $0.contains("warning") }
        #expect(warnings.count == server.lines.count)
        for warning in warnings {
            #expect(warning.contains("failed: \(error) "))
            #expect(warning.contains("pin to CPU ") && warning.contains("the scheduler places"))
        }
    }
}
