import Glibc
import UringCore

/// A store whose keys are spread over the shards: `KeyValue PORT`; `SET key value`, `GET key`, `DEL key`.
@main
enum KeyValue {
    static func main() async throws {
        let port = UInt16(CommandLine.arguments.dropFirst().first ?? "7003") ?? 7_003
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        let stores = Stores()
        try await supervisor.run { shard in
            await stores.add(ShardLocal([String: String](), on: shard), of: shard.index)
            let listener = try shard.listen(.tcp(host: "127.0.0.1", port: port))
            // Nobody is served before every shard has its part.
            let parts = await stores.whenComplete(shard.count)
            if shard.index == 0 {
                print("ready \(listener.address.port ?? 0)")
                fflush(nil)
            }
            try await listener.serve { connection in
                try await answer(connection, parts)
            }
        }
    }

    @Sendable private static func answer(
        _ connection: Connection,
        _ parts: [Int: ShardLocal<[String: String]>]
    ) async throws {
        try await connection.withWriter { writer in
            for try await line in connection.lines(limit: 65_536) {
                let reply = try await reply(to: line, on: connection.shard, parts)
                try await writer.write(reply + "\n")
                try await writer.flush()
            }
        }
    }

    private static func reply(
        to line: String,
        on shard: Shard,
        _ parts: [Int: ShardLocal<[String: String]>]
    ) async throws -> String {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count >= 2, let store = parts[owner(of: words[1], among: parts.count)] else {
            return "ERROR use SET key value, GET key or DEL key"
        }
        let (verb, key) = (words[0].uppercased(), words[1])
        let value = words.count > 2 ? words[2] : ""
        // A key of this shard costs nothing; another's a message there and back.
        return try await shard.submit(to: owner(of: key, among: parts.count)) { _ in
            store.withState { store in
                switch verb {
                case "SET":
                    store[key] = value
                    return "OK"
                case "GET": return store[key].map { "VALUE \($0)" } ?? "NONE"
                case "DEL": return store.removeValue(forKey: key) == nil ? "NONE" : "OK"
                default: return "ERROR use SET key value, GET key or DEL key"
                }
            }
        }
    }

    /// FNV-1a: the same for a key on every core, and in every run.
    private static func owner(of key: String, among count: Int) -> Int {
        let hash = key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int(hash % UInt64(count))
    }
}

/// The parts of all shards, collected once.
actor Stores {
    private var parts: [Int: ShardLocal<[String: String]>] = [:]
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func add(_ part: ShardLocal<[String: String]>, of shard: Int) {
        parts[shard] = part
        for waiter in waiting { waiter.resume() }
        waiting = []
    }

    func whenComplete(_ count: Int) async -> [Int: ShardLocal<[String: String]>] {
        while parts.count < count {
            await withCheckedContinuation { waiting.append($0) }
        }
        return parts
    }
}
