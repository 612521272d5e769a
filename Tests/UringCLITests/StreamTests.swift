import Foundation
import Glibc
import Testing

/// The tool's own standard streams, in what states a shell may leave them.
@Suite("Standard streams")
struct StreamTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func withoutAReaderDoNotKeepADrainFromItsEnd(_ signal: Int32) throws {
        let server = try EchoProcess(wrapper: Programs.peer("deaf.py") + ["ready"])
        try server.echo(byteCount: 100_000)
        // "draining" is logged to nobody.
        try server.stop(signal)
    }

    /// At its limit of descriptors the server logs a line while it serves.
    @Test(arguments: [false, true])
    func withoutAReaderDoNotEndAServerThatLogs(_ isDeaf: Bool) throws {
        let deaf = isDeaf ? Programs.peer("deaf.py") + ["ready"] : []
        let server = try EchoProcess(wrapper: ["prlimit", "--nofile=60"] + deaf)
        let crowd = try server.peer("crowd.py", "80")
        let served = try crowd.nextLine()
        #expect(served?.wholeMatch(of: /served [1-7]?[0-9]/) != nil, "\(served ?? "")")
        #expect(isDeaf != server.process.errorText.contains("EMFILE"))
        crowd.closeInput()
        _ = try crowd.wait()
        try server.echo(byteCount: 100_000)
        try server.stop()
    }

    @Test(arguments: [("--help", 0), ("echo --host nonsense", 78), ("frobnicate", EX_USAGE)])
    func withoutAReaderDoNotKillWhatIsSaidAtOnce(_ arguments: String, _ status: Int32) throws {
        let command = [Programs.uringcore] + arguments.split(separator: " ").map(String.init)
        let tool = try ChildProcess(Programs.peer("deaf.py") + [""] + command)
        #expect(try tool.wait().isEmpty)
        #expect(tool.end == .status(status))
    }

    // MARK: Closed ones

    /// A command behind which these descriptors are closed.
    private func closing(_ descriptors: [Int]) -> [String] {
        let redirections = descriptors.map { "\($0)>&-" }.joined(separator: " ")
        return ["bash", "-c", "exec \"$@\" \(redirections)", "bash"]
    }

    /// What a process's descriptor leads to.
    private func target(of descriptor: Int, in process: ChildProcess) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(process.pid)/fd/\(descriptor)"
        )
    }

    @Test(arguments: [[0], [2], [0, 2]])
    func thatAreClosedAreTakenByNothingElse(_ closed: [Int]) throws {
        let server = try EchoProcess(wrapper: closing(closed))
        try server.echo(byteCount: 100_000)
        for descriptor in 0...2 {
            let isNull = try target(of: descriptor, in: server.process) == "/dev/null"
            #expect(isNull == closed.contains(descriptor), "descriptor \(descriptor)")
        }
        try server.stop()
    }

    @Test func allClosedLetTheServerServe() throws {
        // A server that says nothing can't tell its port, so it gets one that was free just now.
        let other = try EchoProcess()
        try other.stop()
        let server = try ChildProcess(
            closing([0, 1, 2]) + [Programs.uringcore, "echo", "--port", other.port]
        )
        let peer = try other.peer("echo.py", "--bytes", "100000", "--wait")
        #expect(try peer.wait() == "echoed 100000\n", "\(peer.errorText)")
        for descriptor in 0...2 {
            #expect(try target(of: descriptor, in: server) == "/dev/null")
        }
        server.send(SIGTERM)
        #expect(try server.wait().isEmpty)
        #expect(server.end == .status(0))
    }
}
