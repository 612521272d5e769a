import Glibc
import UringCore

/// A UDP echo on every core, and a client that asks it: `DatagramPing serve PORT`, `DatagramPing ask PORT COUNT`.
@main
enum DatagramPing {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        let port = UInt16(words.dropFirst().first ?? "7002") ?? 7_002
        let count = Int(words.dropFirst(2).first ?? "5") ?? 5
        var configuration = try Configuration.fromEnvironment()
        let isServer = words.first != "ask"
        if !isServer { configuration.coreCount = 1 }
        let supervisor = try Supervisor(configuration: configuration)
        try await supervisor.run { shard in
            if isServer {
                try await serve(on: shard, port)
            } else {
                try await ask(on: shard, port, count)
            }
        }
    }

    private static func serve(on shard: Shard, _ port: UInt16) async throws {
        // Every shard has a socket at the same port; the kernel spreads senders over them.
        let endpoint = try shard.bindDatagram(to: .ipv4(0x7F00_0001, port: port))
        if shard.index == shard.count - 1 {
            print("ready \(try endpoint.localAddress.port ?? 0)")
            fflush(nil)
        }
        for try await datagram in endpoint.datagrams {
            do throws(IOError) {
                try await endpoint.send(datagram.bytes, to: datagram.sender)
            } catch {
                // Who cannot be answered (his port is said to be 0: EINVAL) harms nobody but himself.
                if endpoint.isClosing { throw error }
            }
        }
    }

    private static func ask(on shard: Shard, _ port: UInt16, _ count: Int) async throws {
        let endpoint = try shard.connectDatagram(to: .ipv4(0x7F00_0001, port: port))
        for number in 1...count {
            let start = ContinuousClock.now
            try await endpoint.send(Array("ping \(number)".utf8))
            do throws(IOError) {
                // A datagram may be lost, and a refusal (ECONNREFUSED) does not end the endpoint.
                guard let reply = try await endpoint.receive(timeout: .seconds(1)) else { return }
                let text = String(decoding: reply.copyToArray(), as: UTF8.self)
                print("\(text) after \(ContinuousClock.now - start)")
            } catch {
                print("ping \(number): \(error)")
            }
        }
        try await endpoint.close()
    }
}
