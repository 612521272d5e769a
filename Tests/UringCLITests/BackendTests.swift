import Glibc
import Testing

/// Where io_uring is not to be had, epoll serves, and one line says why; where it is, it can be chosen.
@Suite("The backend")
struct BackendTests {
    private static let styles = ["callback", "async"]

    /// Serves a while, and returns what the server said of its backend.
    private func serve(
        behind wrapper: [String] = [],
        style: String = "callback",
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (warnings: [String], summaries: [String]) {
        let server = try EchoProcess(
            wrapper: wrapper,
            options: ["--style", style],
            environment: environment
        )
        try server.echo(byteCount: 1_000_000, sourceLocation: sourceLocation)
        try server.echo(byteCount: 50_000, connections: 20, sourceLocation: sourceLocation)
        try server.stop(sourceLocation: sourceLocation)
        let lines = server.process.errorLines
        return (
            lines.filter { $0.contains(" warning ") },
            lines.filter { $0.contains("] epoll (") || $0.contains("] io_uring (") }
        )
    }

    @Test(arguments: ["EPERM", "ENOSYS"], styles)
    func isEpollBehindASeccompProfileThatDeniesIOUring(_ error: String, _ style: String) throws {
        let denied = Programs.peer("deny.py") + [error]
        let (warnings, summaries) = try serve(behind: denied, style: style)
        #expect(warnings.count == 1, "\(warnings)")
        let line = warnings.first ?? ""
        #expect(line.contains("io_uring is not to be had here, so epoll is used instead: "))
        #expect(line.contains("set up ring failed: \(error) ("))
        #expect(line.contains("seccomp profile") && line.contains("allow io_uring_setup"))
        #expect(summaries.count == 1 && summaries.first?.contains("epoll (") == true)
    }

    /// Profiles that let a ring be made, and no more; a security module; a kernel that knows no flags.
    @Test(arguments: [
        ("io_uring_setup", "EACCES", "a security module (SELinux, AppArmor)"),
        ("io_uring_setup", "EINVAL", "Linux 5.11 is the oldest that will do"),
        ("io_uring_register", "EPERM", "forbids io_uring_register"),
        ("io_uring_enter", "EPERM", "forbids io_uring_enter"),
        ("io_uring_enter", "ENOSYS", "hides io_uring_enter"),
    ])
    func isEpollWhereACallOfIOUringIsDenied(
        _ call: String,
        _ error: String,
        _ words: String
    ) throws {
        let (warnings, summaries) = try serve(behind: Strace.injecting(call, "error=\(error)"))
        #expect(warnings.count == 1 && warnings.first?.contains(words) == true, "\(warnings)")
        #expect(summaries.count == 1 && summaries.first?.contains("epoll (") == true)
    }

    /// A call of io_uring_setup would end the server.
    @Test(arguments: styles)
    func isEpollWhereThatIsAskedForAndIOUringIsNotTried(_ style: String) throws {
        let (warnings, summaries) = try serve(
            behind: Strace.injecting("io_uring_setup", "signal=KILL"),
            style: style,
            environment: ["URINGCORE_BACKEND": "epoll"]
        )
        #expect(warnings.isEmpty, "\(warnings)")
        #expect(summaries.count == 1 && summaries.first?.contains("epoll (") == true)
    }

    @Test(arguments: ["auto", "uring"])
    func isIOUringWhereThatIsToBeHad(_ backend: String) throws {
        let (warnings, summaries) = try serve(environment: ["URINGCORE_BACKEND": backend])
        #expect(warnings.isEmpty, "\(warnings)")
        #expect(summaries.count == 1 && summaries.first?.contains("io_uring (") == true)
    }

    /// Older than Linux 5.11, or a profile that does not know the call.
    @Test(arguments: ["ENOSYS", "EPERM"])
    func serveWithoutWaitsInNanoseconds(_ error: String) throws {
        let (_, summaries) = try serve(
            behind: Strace.injecting("epoll_pwait2", "error=\(error)"),
            environment: ["URINGCORE_BACKEND": "epoll", "URINGCORE_STALL_MS": "1000"]
        )
        #expect(summaries.count == 1)
    }

    @Test func carriesTheLoadClientToo() throws {
        let server = try EchoProcess(environment: ["URINGCORE_BACKEND": "epoll"])
        let load = try ChildProcess(
            [
                Programs.uringcore, "load", "\(server.host):\(server.port)", "--connections", "20",
                "--bytes", "64", "--seconds", "0.3",
            ],
            environment: ["URINGCORE_BACKEND": "epoll"]
        )
        _ = try load.wait()
        #expect(load.end == .status(0), "\(load.errorText)")
        try server.stop()
    }
}
