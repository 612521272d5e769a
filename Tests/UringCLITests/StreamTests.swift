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
}
