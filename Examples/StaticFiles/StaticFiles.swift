import Glibc
import UringCore

/// Serves the files of a folder by HTTP/1.0: `StaticFiles PORT FOLDER`.
@main
enum StaticFiles {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        let port = UInt16(words.first ?? "7004") ?? 7_004
        let folder = Path(words.dropFirst().first ?? ".")
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        try await supervisor.run { shard in
            let listener = try shard.listen(.tcp(host: "127.0.0.1", port: port))
            if shard.index == shard.count - 1 {
                print("ready \(listener.address.port ?? 0)")
                fflush(nil)
            }
            try await listener.serve { connection in
                // Whoever says nothing for ten seconds is not waited for; nobody gets longer than a minute.
                try await connection.shard.withTimeout(.seconds(60)) {
                    try await answer(connection, from: folder)
                }
            }
        }
    }

    @Sendable private static func answer(_ connection: Connection, from folder: Path) async throws {
        let reader = ConnectionReader(connection)
        let request = try await connection.shard.withTimeout(.seconds(10)) {
            let request = try await reader.readLine(limit: 8_192)
            while let header = try await reader.readLine(limit: 8_192), !header.isEmpty {}
            return request
        }
        let words = (request ?? "").split(separator: " ")
        guard words.count == 3, words[0] == "GET" || words[0] == "HEAD" else {
            return try await fail(connection, "400 Bad Request")
        }
        // By bytes, as the kernel does: a slash with a combining mark behind it is no slash as a character.
        let slash = UInt8(ascii: "/")
        let names = words[1].utf8.split(separator: slash).map { Path(bytes: Array($0)) }
        guard words[1].utf8.first == slash, !names.isEmpty, !names.contains("..") else {
            return try await fail(connection, "404 Not Found")
        }
        let path = names.reduce(folder) { $0.appending($1) }
        do {
            try await send(path, on: connection, hasBody: words[0] == "GET")
        } catch let error as IOError where error.errno == .notFound || error.reason == .wrongKind {
            try await fail(connection, "404 Not Found")
        } catch let error as IOError where error.errno == .accessDenied {
            try await fail(connection, "403 Forbidden")
        } catch let error as IOError where error.operation == .openFile {
            // Nothing was answered yet. A name that cannot be (too long, with NUL inside) leads to nothing.
            let isOutOfFiles = error.errno == .tooManyFiles || error.errno == .tooManyFilesInSystem
            try await fail(connection, isOutOfFiles ? "503 Service Unavailable" : "404 Not Found")
        }
    }

    private static func send(_ path: Path, on connection: Connection, hasBody: Bool) async throws {
        try await connection.shard.withFile(path) { file in
            let attributes = try await file.attributes()
            guard attributes.kind == .regular else {
                return try await fail(connection, "404 Not Found")
            }
            let head = "HTTP/1.0 200 OK\r\nContent-Length: \(attributes.byteCount)\r\n\r\n"
            try await connection.write(Array(head.utf8))
            // Exactly so many bytes, or the connection is reset: a file may shrink meanwhile.
            if hasBody { try await connection.sendFile(file, range: 0..<attributes.byteCount) }
        }
    }

    private static func fail(_ connection: Connection, _ status: String) async throws {
        try await connection.write(Array("HTTP/1.0 \(status)\r\nContent-Length: 0\r\n\r\n".utf8))
    }
}
