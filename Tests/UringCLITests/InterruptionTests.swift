import Glibc
import Testing

/// What io_uring_enter may say at any time: no byte is lost, and nothing stands still.
@Suite("An io_uring_enter that fails")
struct InterruptionTests {
    @Test(
        arguments: ["EINTR", "EAGAIN", "EBUSY"],
        ["when=1..20", "when=21+3", "when=30+2", "when=40..200", "when=25+7"]
    )
    func forAPassingReasonLosesNothing(_ error: String, _ when: String) throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_enter", "error=\(error):\(when)")
        )
        try server.echo(byteCount: 200_000, connections: 5)
        try server.stop()
        #expect(!server.process.errorText.contains("failed"))
    }

    @Test func becauseOfSignalsLosesNothing() throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_enter", "signal=SIGWINCH:when=1+2")
        )
        try server.echo(byteCount: 200_000, connections: 5)
        try server.stop()
    }

    /// The loop can't go on: the tool says so and ends, and does not trap on the way.
    @Test(arguments: ["EBADF", "EFAULT", "EBADFD", "EOPNOTSUPP"])
    func forGoodEndsTheServerWithOneLine(_ error: String) throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_enter", "error=\(error):when=40+")
        )
        let peers = try server.peer("hold.py", "--flowing", "2")
        _ = try server.process.wait()
        #expect(server.process.end == .status(1))
        let complaints = server.process.complaints
        #expect(complaints.count == 1)
        #expect(complaints.first?.hasPrefix("uringcore: shard ") == true)
        #expect(complaints.first?.contains(" failed: wait on fd") == true)
        #expect(complaints.first?.contains("failed: \(error)") == true)
        peers.closeInput()
        _ = try peers.wait()
        #expect(!server.process.errorText.contains("Fatal error"))
    }

    @Test(arguments: ["EBADF", "EFAULT"])
    func forGoodDuringSetUpIsOneLine(_ error: String) throws {
        let command = Strace.injecting("io_uring_enter", "error=\(error)")
        let server = try ChildProcess(command + [Programs.uringcore, "echo", "--port", "0"])
        #expect(try server.wait().isEmpty)
        #expect(server.end == .status(1))
        #expect(server.complaints.count == 1, "\(server.errorLines)")
        let line = server.complaints.first ?? ""
        #expect(line.hasPrefix("uringcore: shard 0 on CPU "))
        #expect(line.contains(" could not start, so none did: set up ring failed: \(error) "))
    }
}
