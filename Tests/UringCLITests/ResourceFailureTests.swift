import Testing

/// Each call by which a server gets what it stands on may fail: one line then, or it does without.
///
/// eventfd2(2) is failed by limits of descriptors (SetupFailureTests): the language's own thread pool
/// needs one too, and traps.
@Suite("A server that does not get what it stands on")
struct ResourceFailureTests {
    /// Runs a server that cannot start, and returns its one complaint.
    private func complaint(
        behind wrapper: [String],
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let server = try ChildProcess(
            wrapper + [Programs.uringcore, "echo", "--port", "0"],
            environment: environment
        )
        #expect(try server.wait().isEmpty, sourceLocation: sourceLocation)
        #expect(server.end == .status(1), "\(server.errorText)", sourceLocation: sourceLocation)
        let complaints = server.complaints
        #expect(complaints.count == 1, "\(server.errorLines)", sourceLocation: sourceLocation)
        return complaints.first ?? ""
    }

    /// A pool that is larger than the address space the process may have.
    @Test func saysThatItHasNoMemoryForItsPool() throws {
        let line = try complaint(
            behind: ["prlimit", "--as=1073741824"],
            environment: ["URINGCORE_BUFFER_COUNT": "32768", "URINGCORE_BUFFER_SIZE": "65536"]
        )
        #expect(line.contains("ENOMEM"), "\(line)")
        #expect(line.contains("map memory failed"), "\(line)")
    }

    @Test(arguments: ["ENOMEM", "EPERM", "EAGAIN"])
    func saysThatItMayNotLockItsPoolWhenItMust(_ error: String) throws {
        let line = try complaint(
            behind: Strace.injecting("mlock", "error=\(error)"),
            environment: ["URINGCORE_MLOCK": "on"]
        )
        #expect(line.contains("lock failed: \(error)"), "\(line)")
    }

    @Test(arguments: ["ENOMEM", "EPERM", "EAGAIN"])
    func servesUnlockedWhereItMayNotLock(_ error: String) throws {
        let server = try EchoProcess(wrapper: Strace.injecting("mlock", "error=\(error)"))
        try server.echo(byteCount: 100_000)
        try server.stop()
        #expect(server.process.errorText.contains("not locked: \(error)"))
    }

    /// One enter alone, near the start and far into the work.
    @Test(arguments: ["EINTR", "EAGAIN", "EBUSY"], [1, 2, 3, 5, 8, 13, 34, 89, 200])
    func servesWhenOneEnterFails(_ error: String, _ number: Int) throws {
        let server = try EchoProcess(
            wrapper: Strace.injecting("io_uring_enter", "error=\(error):when=\(number)")
        )
        try server.echo(byteCount: 200_000, connections: 2)
        try server.stop()
        #expect(!server.process.errorText.contains("failed"))
    }
}
