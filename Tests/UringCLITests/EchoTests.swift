import Glibc
import Testing

/// The server as its user meets it, talking to programs that were not written for it.
@Suite("uringcore echo")
struct EchoTests {
    @Test func printsALineAShardWithTheAddressAndThenReady() throws {
        let server = try EchoProcess()
        let lines = server.lines.map {
            $0.wholeMatch(
                of: /shard ([0-9]+) on CPU [0-9]+: listening on (127\.0\.0\.1:[1-9][0-9]*)/
            )
        }
        let shards = lines.compactMap { $0.flatMap { Int($0.1) } }
        #expect(shards.count == lines.count && shards.count > 0, "\(server.lines)")
        #expect(shards.sorted() == Array(0..<shards.count), "each shard says it once")
        #expect(Set(lines.map { $0?.2 }).count == 1, "all listen on one port")
        server.process.send(SIGTERM)
        let rest = try server.process.wait()
        #expect(rest.isEmpty, "nothing is printed after `ready`")
        #expect(server.process.end == .status(0))
    }

    @Test func echoesToPython() throws {
        let server = try EchoProcess()
        try server.echo(byteCount: 20_000_000)
        try server.stop()
    }

    @Test func echoesToManyPythonConnectionsAtOnce() throws {
        let server = try EchoProcess()
        try server.echo(byteCount: 500_000, connections: 50)
        try server.stop()
    }

    @Test func endsAnEmptyConversation() throws {
        let server = try EchoProcess()
        try server.echo(byteCount: 0, connections: 20)
        try server.stop()
    }

    @Test(.enabled(if: Programs.has("socat"), "socat is not installed; run scripts/setup test"))
    func echoesToSocat() throws {
        let server = try EchoProcess()
        // Half-closed when the input ends; -t: for how long the answer may then take.
        let socat = try ChildProcess([
            "socat", "-t", "60", "-", "TCP:\(server.host):\(server.port)",
        ])
        let text = "hello\nfrom socat\n"
        #expect(write(socat.input, text, text.utf8.count) == text.utf8.count)
        #expect(try socat.nextLine() == "hello")
        socat.closeInput()
        #expect(try socat.wait() == "from socat\n")
        #expect(socat.end == .status(0), "\(socat.errorText)")
        try server.stop()
    }

    @Test func servesOnIPv6() throws {
        let server = try ChildProcess(
            [Programs.uringcore, "echo", "--host", "::1", "--port", "0"])
        guard let line = try server.nextLine() else {
            // A machine may have IPv6 switched off; then the error says which address it was.
            _ = try server.wait()
            #expect(server.errorText.contains("EADDRNOTAVAIL") && server.errorText.contains("::1"))
            return
        }
        #expect(line.contains("listening on [::1]:"))
        _ = try server.lines(until: "ready")
        let port = line.split(separator: ":").last.map(String.init) ?? ""
        let peer = try ChildProcess(Programs.peer("echo.py") + ["::1", port, "--bytes", "100000"])
        #expect(try peer.wait() == "echoed 100000\n", "\(peer.errorText)")
        server.send(SIGTERM)
        _ = try server.wait()
        #expect(server.end == .status(0))
    }
}
