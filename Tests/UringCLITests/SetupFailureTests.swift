import Glibc
import Testing

/// Machines on which io_uring is not to be had, or not as wished, for a server that insists on it or
/// must not go on without: one line says why and what to change.
@Suite("io_uring that the kernel refuses")
struct SetupFailureTests {
    /// Runs a server that must not start, and returns what it complains of shard 0, once.
    private func complaint(
        behind wrapper: [String],
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let server = try ChildProcess(
            wrapper + [Programs.uringcore, "echo", "--port", "0"],
            environment: environment
        )
        let output = try server.wait()
        #expect(output.isEmpty, sourceLocation: sourceLocation)
        #expect(server.end == .status(1), sourceLocation: sourceLocation)
        #expect(
            server.complaints.count == 1,
            "\(server.errorLines)",
            sourceLocation: sourceLocation
        )
        let line = server.complaints.last ?? ""
        let start = line.prefixMatch(
            of: #/uringcore: shard 0 on CPU [0-9]+ could not start, so none did: /#
        )
        #expect(start != nil, "\(line)", sourceLocation: sourceLocation)
        return String(line[(start?.range.upperBound ?? line.startIndex)...])
    }

    private static let insisting = ["URINGCORE_BACKEND": "uring"]

    @Test func byASeccompProfileThatForbidsIt() throws {
        let line = try complaint(
            behind: Programs.peer("deny.py") + ["EPERM"],
            environment: Self.insisting
        )
        #expect(line.hasPrefix("set up ring failed: EPERM (1): "))
        #expect(line.contains("seccomp profile"))
        #expect(line.contains("kernel.io_uring_disabled"))
        #expect(line.contains("allow io_uring_setup"))
    }

    @Test func byASeccompProfileThatHidesIt() throws {
        let line = try complaint(
            behind: Programs.peer("deny.py") + ["ENOSYS"],
            environment: Self.insisting
        )
        #expect(line.hasPrefix("set up ring failed: ENOSYS (38): "))
        #expect(line.contains("this kernel has no io_uring"))
        #expect(line.contains("seccomp profile"))
        #expect(line.contains("allow io_uring_setup"))
    }

    @Test(arguments: [
        ("ENOMEM", "set up ring failed: ENOMEM (12): ", "bytes of ring memory"),
        ("EMFILE", "set up ring failed: EMFILE (24): ", "`ulimit -n` or LimitNOFILE="),
        ("ENFILE", "set up ring failed: ENFILE (23): ", "fs.file-max"),
        ("EFAULT", "set up ring failed: EFAULT (14)", ""),
    ])
    func byErrorsThatNoOtherBackendIsTakenFor(
        _ error: String,
        _ start: String,
        _ part: String
    ) throws {
        let line = try complaint(behind: Strace.injecting("io_uring_setup", "error=\(error)"))
        #expect(line.hasPrefix(start))
        #expect(part.isEmpty || line.contains(part))
    }

    @Test func byAKernelThatIsTooOld() throws {
        let line = try complaint(
            behind: Strace.injecting("io_uring_setup", "error=EINVAL"),
            environment: Self.insisting
        )
        #expect(line.hasPrefix("set up ring failed: EINVAL (22): "))
        #expect(line.contains("Linux 5.11 is the oldest that will do"))
    }

    @Test func sayWhichShardOfAnyNumberAndWhy() throws {
        let line = try complaint(
            behind: Programs.peer("deny.py") + ["EPERM"],
            environment: ["URINGCORE_CORES": "0", "URINGCORE_BACKEND": "uring"]
        )
        #expect(line.hasPrefix("set up ring failed: EPERM (1): "))
    }

    /// The kernels between: each refusal of the flags leads one rung down.
    @Test(arguments: [
        (1, "coop_taskrun"), (2, "submit_all"), (3, "plain"),
    ])
    func byItsFlagsLeadsToTheNextRung(_ refusals: Int, _ rung: String) throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_setup", "error=EINVAL:when=1..\(refusals)")
        )
        try server.echo(byteCount: 500_000)
        try server.stop()
        let summaries = server.process.errorLines.filter { $0.contains("io_uring (") }
        #expect(summaries.count == 1, "all shards are alike: \(summaries)")
        #expect(summaries.first?.contains("io_uring (\(rung);") == true)
    }

    @Test func forWantOfMemoryAtFirstLeadsToSmallerRings() throws {
        // strace counts each thread's calls: one shard tries again on the same thread, several on new
        // ones.
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_setup", "error=ENOMEM:when=1..5"),
            environment: ["URINGCORE_CORES": "0"]
        )
        try server.echo(byteCount: 500_000)
        try server.stop()
    }

    /// However few descriptors there are, the server serves or says so: it needs about six, and four a shard.
    ///
    /// With fewer than eight the language's own thread pool (libdispatch) may trap.
    @Test(arguments: 8...24, ["auto", "epoll"])
    func forWantOfDescriptorsIsOneLine(_ limit: Int, _ backend: String) throws {
        let server = try ChildProcess(
            ["prlimit", "--nofile=\(limit)", Programs.uringcore, "echo", "--port", "0"],
            environment: ["URINGCORE_BACKEND": backend]
        )
        while let line = try server.nextLine() {
            guard line == "ready" else { continue }
            server.send(SIGTERM)
            _ = try server.wait()
            return #expect(server.end == .status(0))
        }
        _ = try server.wait()
        #expect(server.end == .status(1))
        let complaints = server.complaints
        #expect(complaints.count == 1, "\(server.errorLines)")
        #expect(complaints.first?.contains("EMFILE") == true)
    }

    @Test func forThePollingThreadLeadsToARingWithoutIt() throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_setup", "error=EPERM:when=1"),
            environment: ["URINGCORE_SQPOLL": "1"]
        )
        try server.echo(byteCount: 500_000)
        try server.stop()
        let lines = server.process.errorLines.filter { $0.contains("(SQPOLL)") }
        #expect(lines.count == 1, "said once for all shards: \(lines)")
        #expect(lines.first?.contains("EPERM") == true)
    }
}
