import Glibc
import Testing

/// How a server ends: in order, at once when it can, and leaving its port free.
@Suite("A signal")
struct SignalTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func endsAnIdleServerWithStatus0(_ signal: Int32) throws {
        let server = try EchoProcess()
        try server.echo(byteCount: 10_000)
        try server.stop(signal)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func leavesThePortFree(_ signal: Int32) throws {
        let first = try EchoProcess()
        // The server ends these connections first, so its port is in TIME_WAIT afterwards.
        let peers = try first.peer("hold.py", "--idle", "20")
        _ = try peers.lines(until: "held")
        try first.stop(signal)
        #expect(try peers.wait() == "ended 20\n")

        let other = try ChildProcess(Programs.peer("bind.py") + [first.host, first.port])
        #expect(try other.wait() == "bound\n", "\(other.errorText)")
        let second = try EchoProcess(port: first.port)
        #expect(second.port == first.port)
        try second.echo(byteCount: 10_000)
        try second.stop()
    }

    @Test(arguments: [SIGTERM, SIGINT], ["callback", "async"])
    func endsAServerWithAThousandConnections(_ signal: Int32, _ style: String) throws {
        // Those that take nothing are given up at the drain's limit.
        let server = try EchoProcess(
            options: ["--style", style],
            environment: ["URINGCORE_DRAIN_MS": "1000"]
        )
        let peers = try server.peer("hold.py", "--idle", "900", "--stuck", "90", "--flowing", "10")
        _ = try peers.lines(until: "held")
        try server.stop(signal)
        #expect(try peers.wait() == "ended 1000\n", "\(peers.errorText)")
        #expect(peers.end == .status(0))
    }

    /// The idle ones end at once, without waiting for the limit; those with an echo under way get it all.
    @Test(arguments: ["callback", "async"])
    func closesIdleConnectionsAndFinishesBusyOnes(_ style: String) throws {
        let server = try EchoProcess(
            options: ["--style", style],
            environment: ["URINGCORE_DRAIN_MS": "86400000"]
        )
        let peers = try server.peer("hold.py", "--idle", "900", "--late", "100")
        _ = try peers.lines(until: "held")
        server.process.send(SIGTERM)
        #expect(try peers.wait() == "ended 1000\n", "\(peers.errorText)")
        _ = try server.process.wait()
        #expect(server.process.end == .status(0), "\(server.process.errorText)")
        #expect(!server.process.errorText.contains("the drain's limit passed"))
        let other = try ChildProcess(Programs.peer("bind.py") + [server.host, server.port])
        #expect(try other.wait() == "bound\n", "\(other.errorText)")
    }

    /// Every descriptor is a connection's: the drain needs none.
    @Test(arguments: ["callback", "async"])
    func endsAServerWithoutADescriptorToSpare(_ style: String) throws {
        let server = try EchoProcess(
            wrapper: ["prlimit", "--nofile=64"],
            options: ["--style", style],
            environment: ["URINGCORE_DRAIN_MS": "500"]
        )
        let peers = try server.peer("hold.py", "--stuck", "30")
        _ = try peers.lines(until: "held")
        // More than can be served: what is left waits in the backlog.
        let connect = """
            import socket, sys
            peers = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(40)]
            print("connected", flush=True)
            sys.stdin.read()
            """
        let waiting = try ChildProcess(["python3", "-c", connect, server.host, server.port])
        _ = try waiting.lines(until: "connected")
        try server.stop()
        for client in [peers, waiting] {
            client.closeInput()
            _ = try client.wait()
        }
    }

    @Test func doesNotHarmAServerWhosePeersWereKilled() throws {
        let server = try EchoProcess()
        for _ in 0..<3 {
            let peers = try server.peer(
                "hold.py",
                "--idle",
                "20",
                "--stuck",
                "20",
                "--flowing",
                "20"
            )
            _ = try peers.lines(until: "held")
            peers.send(SIGKILL)
            _ = try peers.wait()
            try server.echo(byteCount: 100_000)
        }
        try server.stop()
    }

    @Test func ofASecondTimeEndsAServerThatDrains() throws {
        let server = try EchoProcess(environment: ["URINGCORE_DRAIN_MS": "86400000"])
        let stuck = try server.peer("hold.py", "--stuck", "1")
        let idle = try server.peer("hold.py", "--idle", "1")
        for peer in [stuck, idle] { _ = try peer.lines(until: "held") }
        server.process.send(SIGTERM)
        // Once the idle connection is closed the drain is under way.
        #expect(try idle.wait() == "ended 1\n")
        server.process.send(SIGTERM)
        _ = try server.process.wait()
        #expect(server.process.end == .signal(SIGTERM))
    }
}
