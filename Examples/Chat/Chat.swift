import Glibc
import UringCore

/// Everybody hears what anybody says, whatever core each is on: `Chat PORT`.
@main
enum Chat {
    static func main() async throws {
        let port = UInt16(CommandLine.arguments.dropFirst().first ?? "7001") ?? 7_001
        let supervisor = try Supervisor(configuration: .fromEnvironment())
        let rooms = Rooms()
        try await supervisor.run { shard in
            // The part of the room on this core: no lock, since only this core's thread comes here.
            let room = ShardLocal(Room(), on: shard)
            await rooms.add(room, of: shard.index)
            let listener = try shard.listen(.tcp(host: "127.0.0.1", port: port))
            // Nobody is served before every core has its part.
            let all = await rooms.whenComplete(shard.count)
            if shard.index == 0 {
                print("ready \(listener.address.port ?? 0)")
                fflush(nil)
            }
            try await listener.serve { connection in
                try await talk(connection, in: all)
            }
        }
    }

    @Sendable private static func talk(
        _ connection: Connection,
        in rooms: [Int: ShardLocal<Room>]
    ) async throws {
        let shard = connection.shard
        guard let room = rooms[shard.index] else { return }
        // What others say waits here; a listener that is too slow misses some, and holds up nobody.
        let inbox = ShardChannel<String>(capacity: 64, on: shard)
        let number = room.withState { $0.enter(inbox) }
        defer { room.withState { $0.leave(number) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while let line = try await inbox.receive() {
                    try await connection.write(Array("\(line)\n".utf8))
                }
            }
            for try await line in connection.lines(limit: 1_000) {
                // Each core answers before the next line is read: who floods is read more slowly.
                for (target, room) in rooms {
                    try await shard.submit(to: target) { _ in
                        room.withState { $0.say("\(shard.index).\(number): \(line)") }
                    }
                }
            }
            try inbox.finish()
            try await group.waitForAll()
        }
    }
}

/// Who listens on one core.
struct Room {
    private var inboxes: [Int: ShardChannel<String>] = [:]
    private var nextNumber = 0

    mutating func enter(_ inbox: ShardChannel<String>) -> Int {
        nextNumber += 1
        inboxes[nextNumber] = inbox
        return nextNumber
    }

    mutating func leave(_ number: Int) {
        inboxes[number] = nil
    }

    func say(_ line: String) {
        for inbox in inboxes.values { _ = try? inbox.trySend(line) }
    }
}

/// The rooms of all cores, collected once.
actor Rooms {
    private var rooms: [Int: ShardLocal<Room>] = [:]
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func add(_ room: ShardLocal<Room>, of shard: Int) {
        rooms[shard] = room
        for waiter in waiting { waiter.resume() }
        waiting = []
    }

    func whenComplete(_ count: Int) async -> [Int: ShardLocal<Room>] {
        while rooms.count < count {
            await withCheckedContinuation { waiting.append($0) }
        }
        return rooms
    }
}
