import Glibc
import Testing

/// `uringcore echo`, ready to be talked to.
final class EchoProcess {
    let process: ChildProcess
    /// What it printed before `ready`.
    let lines: [String]
    let host = "127.0.0.1"
    let port: String

    /// Starts it behind `wrapper`, a command that ends in another command, and waits for `ready`.
    init(
        wrapper: [String] = [],
        binary: String = Programs.uringcore,
        port: String = "0",
        options: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        Self.raiseDescriptorLimit()
        let command = wrapper + [binary, "echo", "--port", port] + options
        process = try ChildProcess(command, environment: environment)
        lines = try process.lines(until: "ready")
        let address = lines.last?.split(separator: " ").last ?? ""
        self.port = address.split(separator: ":").last.map(String.init) ?? ""
    }

    /// A Python program that talks to the server.
    func peer(_ name: String, _ options: String...) throws -> ChildProcess {
        try ChildProcess(Programs.peer(name) + [host, port] + options)
    }

    /// Sends and checks random bytes; reports what went wrong.
    func echo(
        byteCount: Int,
        connections: Int = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let peer = try peer(
            "echo.py",
            "--bytes",
            "\(byteCount)",
            "--connections",
            "\(connections)"
        )
        let output = try peer.wait()
        #expect(peer.end == .status(0), "\(peer.errorText)", sourceLocation: sourceLocation)
        #expect(output == "echoed \(byteCount * connections)\n", sourceLocation: sourceLocation)
    }

    /// Ends it by a signal; it must drain and exit 0.
    func stop(
        _ signal: Int32 = SIGTERM,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        process.send(signal)
        _ = try process.wait()
        #expect(process.end == .status(0), "\(process.errorText)", sourceLocation: sourceLocation)
    }

    /// A thousand connections need a thousand descriptors here and there; the usual soft limit is 1,024.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 8_192)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
