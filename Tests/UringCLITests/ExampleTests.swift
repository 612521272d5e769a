import Foundation
import Glibc
import Testing

/// The examples build as a package of their own, and do what their pages say.
@Suite("Examples") struct ExampleTests {
    private static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().appending(path: "../..").standardized.path

    /// Built once, where the next run finds it.
    private static let programs = Result {
        let scratch = repository + "/.build-examples"
        let build = try ChildProcess([repository + "/Examples/build", scratch])
        var lines: [String] = []
        while let line = try build.nextLine() { lines.append(line) }
        _ = try build.wait()
        guard build.end == .status(0), let folder = lines.last else {
            throw ChildProcess.Failure(description: "\(lines.suffix(20)) \(build.errorText)")
        }
        return folder
    }

    private func start(_ command: [String], shards: Int = 2) throws -> ChildProcess {
        let folder = try Self.programs.get()
        return try ChildProcess(
            ["\(folder)/\(command[0])"] + command.dropFirst(),
            environment: ["URINGCORE_CORE_COUNT": "\(shards)", "URINGCORE_PIN": "off"]
        )
    }

    @Test(arguments: [
        ["Echo", "0"], ["Echo", "0", "callback"], ["Chat", "0"], ["KeyValue", "0"],
        ["DatagramPing", "serve", "0"],
    ])
    func servesAndDrains(command: [String]) throws {
        let server = try start(command)
        let port = try readyPort(of: server)
        let peer = try ChildProcess(Programs.peer("examples.py") + [command[0], port])
        _ = try peer.wait()
        #expect(peer.end == .status(0), "\(peer.errorText)")
        server.send(SIGTERM)
        _ = try server.wait()
        #expect(server.end == .status(0), "\(server.errorText)")
    }

    private func readyPort(of server: ChildProcess) throws -> String {
        while let line = try server.nextLine() {
            if line.hasPrefix("ready ") { return String(line.dropFirst("ready ".count)) }
        }
        _ = try server.wait()
        throw ChildProcess.Failure(description: server.errorText)
    }

    @Test func asksADatagramServer() throws {
        let server = try start(["DatagramPing", "serve", "0"])
        let port = try readyPort(of: server)
        let lines = try output(of: start(["DatagramPing", "ask", port, "3"], shards: 1))
        #expect(lines.map { $0.prefix(6) } == ["ping 1", "ping 2", "ping 3"])
        #expect(lines.allSatisfy { $0.contains(" after ") })
        server.send(SIGTERM)
        _ = try server.wait()
    }

    @Test func keepsTime() throws {
        #expect(
            try output(of: start(["Timers"], shards: 1)) == [
                "tick 1", "tick 2", "tick 3", "sleeper 1", "sleeper 2", "sleeper 3",
                "an hour was too long", "called back",
            ]
        )
    }

    @Test func servesFiles() throws {
        let folder = Self.repository + "/docs"
        let server = try start(["StaticFiles", "0", folder])
        let port = try readyPort(of: server)
        let peer = try ChildProcess(Programs.peer("examples.py") + ["StaticFiles", port, folder])
        _ = try peer.wait()
        #expect(peer.end == .status(0), "\(peer.errorText)")
        server.send(SIGTERM)
        _ = try server.wait()
        #expect(server.end == .status(0), "\(server.errorText)")
    }

    @Test func runsProcesses() throws {
        #expect(
            try output(of: start(["Pipeline"], shards: 1)) == [
                "sorted 1000, from 1 to 1000", "HELLO, exited with 0", "an hour was too long",
                "no such program",
            ]
        )
    }

    @Test func isDrivenByAnotherLoop() throws {
        let lines = try output(of: start(["ForeignLoop"]))
        #expect(lines.sorted() == ["posted", "received hello", "the loop's timer"])
    }

    private func output(of program: ChildProcess) throws -> [String] {
        var lines: [String] = []
        while let line = try program.nextLine() { lines.append(line) }
        _ = try program.wait()
        #expect(program.end == .status(0), "\(program.errorText)")
        return lines
    }
}
