import Glibc
import UringCore

/// A store whose keys are spread over the shards: `KeyValue PORT`; `SET key value`, `GET key`, `DEL key`.
///
/// Keys and values are bytes: what is not UTF-8 is a key like any other, and letters that only look alike differ.
@main
enum KeyValue {
    typealias Store = [[UInt8]: [UInt8]]

    static func main() async throws {
        let port = UInt16(CommandLine.arguments.dropFirst().first ?? "7003") ?? 7_003
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        let stores = Stores()
        try await supervisor.run { shard in
            await stores.add(ShardLocal(Store(), on: shard), of: shard.index)
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
        _ parts: [Int: ShardLocal<Store>]
    ) async throws {
        let reader = ConnectionReader(connection)
        try await connection.withWriter { writer in
            while var line = try await nextLine(of: reader) {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                try await writer.write(try await reply(to: line, on: connection.shard, parts))
                try await writer.write("\n")
                try await writer.flush()
            }
        }
    }

    private static func nextLine(of reader: ConnectionReader) async throws -> [UInt8]? {
        do {
            return try await reader.readUntil([UInt8(ascii: "\n")])
        } catch where error.reason == .peerGone {
            // A last line without an end.
            return try await reader.read()
        }
    }

    private static func reply(
        to line: [UInt8],
        on shard: Shard,
        _ parts: [Int: ShardLocal<Store>]
    ) async throws -> [UInt8] {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2).map(Array.init)
        guard words.count >= 2, let store = parts[owner(of: words[1], among: parts.count)] else { return usage }
        let (verb, key) = (String(decoding: words[0], as: UTF8.self).uppercased(), words[1])
        let value = words.count > 2 ? words[2] : []
        // A key of this shard costs nothing; another's a message there and back.
        return try await shard.submit(to: owner(of: key, among: parts.count)) { _ in
            store.withState { store in
                switch verb {
                case "SET":
                    store[key] = value
                    return Array("OK".utf8)
                case "GET": return store[key].map { Array("VALUE ".utf8) + $0 } ?? Array("NONE".utf8)
                case "DEL": return Array((store.removeValue(forKey: key) == nil ? "NONE" : "OK").utf8)
                default: return usage
                }
            }
        }
    }

    private static let usage = Array("ERROR use SET key value, GET key or DEL key".utf8)

    /// FNV-1a: the same for a key on every core, and in every run.
    private static func owner(of key: [UInt8], among count: Int) -> Int {
        let hash = key.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int(hash % UInt64(count))
    }
}

/// The parts of all shards, collected once.
actor Stores {
    private var parts: [Int: ShardLocal<KeyValue.Store>] = [:]
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func add(_ part: ShardLocal<KeyValue.Store>, of shard: Int) {
        parts[shard] = part
        for waiter in waiting { waiter.resume() }
        waiting = []
    }

    func whenComplete(_ count: Int) async -> [Int: ShardLocal<KeyValue.Store>] {
        while parts.count < count {
            await withCheckedContinuation { waiting.append($0) }
        }
        return parts
    }
}
