import Testing

/// Servers of users who may lock little or no memory.
///
/// Root is exempt from that limit, so these change the user.
@Suite(
    "A small limit on locked memory",
    .enabled(if: Programs.isRoot, "only root may change the user")
)
struct LimitTests {
    /// What a server under `ulimit -l` of a user without rights is started with.
    private func unprivileged(lockedBytes: Int) -> [String] {
        [
            "prlimit", "--memlock=\(lockedBytes)",
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        ]
    }

    @Test func of64KiBIsEnoughToServe() throws {
        let server = try EchoProcess(
            wrapper: unprivileged(lockedBytes: 65_536),
            binary: Programs.uringcoreForEveryUser
        )
        try server.echo(byteCount: 1_000_000, connections: 10)
        try server.stop()
        let lines = server.process.errorLines
        #expect(lines.count { $0.contains("ring sizes are") && $0.contains("65536 bytes") } == 1)
        #expect(lines.count { $0.contains("not locked") && $0.contains("RLIMIT_MEMLOCK") } == 1)
    }

    /// Older kernels do not count ring memory: then the server runs.
    ///
    /// Otherwise it says what to change.
    @Test func ofNothingLetsItServeOrSayWhatToChange() throws {
        let server = try ChildProcess(
            unprivileged(lockedBytes: 0) + [Programs.uringcoreForEveryUser, "echo", "--port", "0"]
        )
        while let line = try server.nextLine() {
            if line == "ready" { return }
        }
        _ = try server.wait()
        #expect(server.end == .status(1))
        let complaints = server.complaints
        #expect(complaints.count == 1)
        #expect(complaints.first?.contains("ENOMEM") == true)
        #expect(complaints.first?.contains("locked memory is limited to 0 bytes") == true)
        #expect(complaints.first?.contains("`ulimit -l` or LimitMEMLOCK=") == true)
    }

    @Test func isAnErrorWhenLockingIsDemanded() throws {
        let server = try ChildProcess(
            unprivileged(lockedBytes: 65_536)
                + [Programs.uringcoreForEveryUser, "echo", "--port", "0"],
            environment: ["URINGCORE_MLOCK": "on"]
        )
        #expect(try server.wait().isEmpty)
        #expect(server.end == .status(1))
        let complaints = server.complaints
        #expect(complaints.count == 1)
        #expect(complaints.first?.hasPrefix("uringcore: shard 0 on CPU ") == true)
        #expect(complaints.first?.contains("could not start, so none did: lock failed: ") == true)
        #expect(complaints.first?.contains("4194304 bytes") == true)
        #expect(complaints.first?.contains("RLIMIT_MEMLOCK is 65536 bytes") == true)
        #expect(complaints.first?.contains("`ulimit -l`") == true)
    }

    @Test func isNotMetWithLockingOff() throws {
        let server = try EchoProcess(
            wrapper: unprivileged(lockedBytes: 65_536),
            binary: Programs.uringcoreForEveryUser,
            environment: ["URINGCORE_MLOCK": "off"]
        )
        try server.echo(byteCount: 100_000)
        try server.stop()
        #expect(!server.process.errorText.contains("not locked"))
    }
}
