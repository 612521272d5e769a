import Glibc
import UringCore

@main
struct Greeter {
    static func main() async throws {
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        try await supervisor.run { shard in
            let listener = try shard.listen(.tcp(host: "127.0.0.1", port: 0))
            if shard.index == 0 { print("listening on \(listener.address)") }
            if shard.index == 0 { print("ready") }
            fflush(nil)
            try await listener.serve { connection in
                while let bytes = try await connection.read() {
                    try await connection.write(bytes)
                }
            }
        }
    }
}
