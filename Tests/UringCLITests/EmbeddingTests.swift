import Foundation
import Glibc
import Testing

/// Another package depends on this one as anybody would: by URL and version, with the public API alone.
@Suite("A package that depends on this one") struct EmbeddingTests {
    @Test func buildsAndServesEcho() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("uringcore-embedding-\(getpid())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let repository = here.appending(path: "../..").standardized.path
        let script = here.appending(path: "Embedded/build").path
        let build = try ChildProcess([script, repository, folder])
        var lines: [String] = []
        while let line = try build.nextLine() { lines.append(line) }
        _ = try build.wait()
        try #require(build.end == .status(0), "\(lines.suffix(20)) \(build.errorText)")

        let greeter = try ChildProcess([try #require(lines.last)])
        let address = try greeter.lines(until: "ready").last?.split(separator: ":").last
        let port = try #require(address.map(String.init))
        let peer = try ChildProcess(
            Programs.peer("echo.py") + [
                "127.0.0.1", port, "--bytes", "1000000", "--connections", "4",
            ]
        )
        _ = try peer.wait()
        #expect(peer.end == .status(0), "\(peer.errorText)")
        greeter.send(SIGTERM)
        _ = try greeter.wait()
        #expect(greeter.end == .status(0), "\(greeter.errorText)")
    }
}
