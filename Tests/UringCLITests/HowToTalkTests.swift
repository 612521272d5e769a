import Foundation
import Testing

/// What `make run` tells a newcomer to type.
@Suite("scripts/how-to-talk")
struct HowToTalkTests {
    /// The indented lines: commands for a shell.
    private func commands(for arguments: [String]) throws -> [String] {
        let root = (0..<3).reduce(URL(filePath: #filePath)) { path, _ in
            path.deletingLastPathComponent()
        }
        let script = root.appending(path: "scripts/how-to-talk").path
        let output = try ChildProcess([script] + arguments).wait()
        return output.split(separator: "\n").filter { $0.hasPrefix("    ") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func namesCommandsThatGetTheirEcho() throws {
        let server = try EchoProcess()
        let commands = try commands(for: ["--host", server.host, "--port=\(server.port)"])
        #expect(commands.first?.hasPrefix("bash ") == true, "nothing else is on every machine")
        for command in commands {
            let shell = try ChildProcess(["sh", "-c", command])
            #expect(try shell.wait().contains("hello"), "\(command): \(shell.errorText)")
        }
        try server.stop()
    }

    @Test func namesACommandForAPath() throws {
        let commands = try commands(for: ["--unix", "/tmp/echo.socket"])
        #expect(commands.count == 1)
        #expect(commands.first?.contains("s.connect(\"/tmp/echo.socket\")") == true)
    }
}
