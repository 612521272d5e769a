import Glibc
import UringCore

/// Sends back what comes, in either style: `Echo PORT [async|callback]`.
@main
enum Echo {
    static func main() async throws {
        let port = UInt16(CommandLine.arguments.dropFirst().first ?? "7000") ?? 7_000
        let isCallback = CommandLine.arguments.dropFirst(2).first == "callback"
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        try await supervisor.run { shard in
            let listener = try shard.listen(.tcp(host: "127.0.0.1", port: port))
            if shard.index == shard.count - 1 { report(listener) }
            if isCallback {
                try await listener.serve(handlers: { EchoHandler() })
            } else {
                try await listener.serve(echo)
            }
        }
    }

    @Sendable private static func echo(_ connection: Connection) async throws {
        while let bytes = try await connection.read() {
            try await connection.write(bytes)  // The bytes move: no copy.
        }
    }

    private static func report(_ listener: Listener) {
        print("ready \(listener.address.port ?? 0)")
        fflush(nil)
    }
}

/// The same as callbacks: nothing waits, so nothing is kept for a connection that is silent.
final class EchoHandler: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        transport.write(bytes)
    }

    // A peer that does not read must not fill our memory.
    func pauseWriting(on transport: StreamTransport) { transport.pauseReading() }
    func resumeWriting(on transport: StreamTransport) { transport.resumeReading() }
}
