import Testing

/// Profiles and policies that deny single calls: the one line names the call and what to change.
@Suite("A call that is denied")
struct DenialTests {
    /// Runs a server that must not start, and returns its one complaint.
    ///
    /// One that insists on io_uring: any other goes on with epoll when a call of io_uring's is denied.
    private func complaint(
        _ call: String,
        _ injection: String,
        backend: String = "uring"
    ) throws -> String {
        let wrapper = Strace.injecting(call, injection)
        let server = try ChildProcess(
            wrapper + [Programs.uringcore, "echo", "--port", "0"],
            environment: ["URINGCORE_BACKEND": backend]
        )
        #expect(try server.wait().isEmpty)
        #expect(server.end == .status(1))
        #expect(server.complaints.count == 1, "\(server.errorLines)")
        return server.complaints.last ?? ""
    }

    private static let remedy =
        "allow io_uring_setup, io_uring_enter and io_uring_register in the profile"

    @Test(arguments: [
        ("EPERM", "EPERM (1): the self-test of ", "forbids io_uring_enter, though not io_uring_s"),
        ("ENOSYS", "ENOSYS (38): the self-test of ", "hides io_uring_enter, though not io_uring_s"),
        ("EACCES", "EACCES (13): the self-test of ", "(SELinux, AppArmor) or a seccomp profile"),
    ])
    func whenItIsTheRingsWaitIsExplained(_ error: String, _ start: String, _ cause: String) throws {
        let line = try complaint("io_uring_enter", "error=\(error)")
        #expect(line.contains("set up ring failed: \(start)"))
        #expect(line.contains(cause))
        #expect(line.contains(Self.remedy))
    }

    /// The first is for the buffer ring, the later ones are for settings and for the probe.
    @Test(
        arguments: [
            ("EPERM", "EPERM (1)", "a seccomp profile forbids io_uring_register"),
            ("ENOSYS", "ENOSYS (38)", "a seccomp profile hides io_uring_register"),
            ("EACCES", "EACCES (13)", "or a seccomp profile denies io_uring_register"),
        ],
        ["", ":when=2+"]
    )
    func whenItIsTheRingsSettingsIsExplained(
        _ error: (name: String, start: String, cause: String),
        _ when: String
    ) throws {
        let line = try complaint("io_uring_register", "error=\(error.name)\(when)")
        #expect(line.contains("set up ring failed: \(error.start): "))
        #expect(line.contains(error.cause))
        #expect(line.contains(Self.remedy))
    }

    @Test func whenASecurityModuleDeniesTheRingIsExplained() throws {
        let line = try complaint("io_uring_setup", "error=EACCES")
        #expect(line.contains("set up ring failed: EACCES (13): a security module (SELinux, "))
        #expect(line.contains("denies io_uring_setup; allow io_uring in the module's policy"))
        #expect(line.contains(Self.remedy))
    }

    /// A thread's first eventfd is the self-test's, its second the waker's.
    ///
    /// Neither is io_uring's, so nothing else is tried.
    @Test(arguments: [
        ("EPERM", "EPERM (1): eventfd2: a seccomp profile or a security module denies it"),
        ("EMFILE", "open files are allowed; raise it with `ulimit -n` or LimitNOFILE="),
        ("ENFILE", "ENFILE (23): eventfd2: the system's table of open files is full"),
    ])
    func hintsAtTheLimitOfOpenFilesOnlyWhereThatIsIt(_ error: String, _ part: String) throws {
        let line = try complaint("eventfd2", "error=\(error):when=2", backend: "auto")
        #expect(line.contains(part))
        #expect((error == "EMFILE") == line.contains("ulimit -n"))
    }

    @Test func whenItIsASelfTestsSocketPairIsNamed() throws {
        let line = try complaint("socketpair", "error=EACCES", backend: "auto")
        #expect(line.contains("EACCES (13): socketpair: a seccomp profile or a security module"))
    }

    /// Docker's default profile denies these: memory then comes from wherever it does.
    @Test(arguments: ["mbind", "get_mempolicy"], ["EPERM", "ENOSYS"])
    func whenItIsAWishForMemoryIsPassedOverInSilence(_ call: String, _ error: String) throws {
        // A machine that has no CPU for the shard is no denial.
        let server = try EchoProcess(
            wrapper: Strace.injecting(call, "error=\(error)"),
            environment: ["URINGCORE_STALL_MS": "600000"]
        )
        try server.echo(byteCount: 100_000)
        try server.stop()
        let lines = server.process.errorLines
        #expect(lines.allSatisfy { $0.contains(" info uringcore: ") }, "\(lines)")
    }
}
