import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Cancellations at random moments, from random threads, of random waits, against peers that talk.
@Suite(.serialized) struct RandomCancellationTests {
    private static let seed: UInt64 = 20_260_301

    @Test func aHundredThousandLeaveNothingBehind() async throws {
        let connectionCount = 8
        let cancellationsEach = 12_500
        let alive = SharedCount()
        let done = SharedCount()
        try await withShards(2) { run in
            let address = try await run.serve { connection in
                let token = CountedToken(alive)
                var work = CancelledWork(connection, seed: Self.seed &+ UInt64(done.value), alive)
                for _ in 0..<cancellationsEach {
                    try await work.step()
                    done.add()
                }
                #expect(try work.isAtRest, "seed \(Self.seed)")
                withExtendedLifetime(token) {}
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<connectionCount {
                    group.addTask {
                        try await onThread {
                            var peer = try TalkingPeer(to: address)
                            try peer.talk()
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(done.value == connectionCount * cancellationsEach)
            try await run.settle()
            #expect(alive.value == 0)
        }
    }

    @Test func ofServeLeaveNothingBehind() async throws {
        let alive = SharedCount()
        let cancelled = SharedCount()
        try await withShards(2) { run in
            let listeners = try await run.listen(on: 0..<2)
            let isOver = SharedCount()
            let address = listeners[0].address
            async let clients: Void = onThread {
                while isOver.value == 0 {
                    let clients = try (0..<10).map { _ in try BlockingClient(to: address) }
                    for client in clients { _ = try? client.exchange([1, 2, 3]) }
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for listener in listeners {
                    group.addTask(executorPreference: listener.shard.executor) {
                        var numbers = SeededNumbers(seed: Self.seed)
                        for _ in 0..<200 {
                            let serving = Task(executorPreference: listener.shard.executor) {
                                try await listener.serve { connection in
                                    let token = CountedToken(alive)
                                    defer { if Task.isCancelled { cancelled.add() } }
                                    while let bytes = try await connection.read() {
                                        try await connection.write(bytes)
                                    }
                                    withExtendedLifetime(token) {}
                                }
                            }
                            let pause = Duration.microseconds(
                                Int.random(in: 0...3_000, using: &numbers)
                            )
                            try await listener.shard.sleep(for: pause)
                            serving.cancel()
                            _ = await serving.result
                        }
                    }
                }
                try await group.waitForAll()
            }
            isOver.add()
            // The clients' last round is served.
            let last = listeners.map { listener in
                Task(executorPreference: listener.shard.executor) {
                    try await listener.serve { connection in
                        while let bytes = try await connection.read() {
                            try await connection.write(bytes)
                        }
                    }
                }
            }
            try await clients
            for task in last { task.cancel() }
            for task in last { _ = await thrownReason { try await ended(task, "serve") } }
            try await run.settle()
            #expect(alive.value == 0)
            #expect(cancelled.value > 0)
        }
    }
}

/// Waits of one connection, each begun in a task of its own and cancelled at some moment.
private struct CancelledWork {
    private let connection: Connection
    private let alive: SharedCount
    private var numbers: SeededNumbers
    private var readPosition = 0
    private var writtenPosition = 0
    private let semaphore: ShardSemaphore

    init(_ connection: Connection, seed: UInt64, _ alive: SharedCount) {
        self.connection = connection
        self.alive = alive
        self.numbers = SeededNumbers(seed: seed)
        self.semaphore = ShardSemaphore(permits: 1, on: connection.shard)
    }

    /// Every permit is back.
    var isAtRest: Bool {
        get throws { try semaphore.available == 1 }
    }

    private static func readInAChild(_ connection: Connection) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { try await connection.readArray() }
            return try await group.next() ?? []
        }
    }

    mutating func step() async throws {
        let connection = connection
        let shard = connection.shard
        let token = CountedToken(alive)
        let kind = Int.random(in: 0..<10, using: &numbers)
        let piece = KnownBytes.bytes(
            at: writtenPosition,
            count: Int.random(in: 1...20_000, using: &numbers)
        )
        let timeout = Duration.microseconds(Int.random(in: 0...200, using: &numbers))
        let semaphore = semaphore
        let work: @Sendable () async throws -> [UInt8] = {
            defer { withExtendedLifetime(token) {} }
            switch kind {
            case 0: return try await connection.readArray()
            case 1: return try await connection.readArray(timeout: timeout)
            case 2: try await connection.write(piece)
            case 3:
                return try await shard.withTimeout(timeout) { try await connection.readArray() }
            case 4: _ = try await shard.runInExecutor { 1 }
            case 5: _ = try await ShardChannel<Int>(capacity: 0, on: shard).receive()
            case 6: try await semaphore.withPermits { try await shard.sleep(for: timeout) }
            case 7: _ = try await shard.submit(to: (shard.index + 1) % shard.count) { $0.index }
            case 8: return try await Self.readInAChild(connection)
            default: try await shard.sleep(for: timeout)
            }
            return []
        }
        let task =
            Bool.random(using: &numbers)
            ? Task(executorPreference: shard.executor) { try await work() }
            : Task.immediate(executorPreference: shard.executor) { try await work() }
        if kind == 2 { writtenPosition += piece.count }
        try await cancel(task)
        switch await task.result {
        case .success(let bytes):
            guard KnownBytes.matches(bytes, at: readPosition) else {
                throw WrongStream(wantedBytes: readPosition + bytes.count, rightBytes: readPosition)
            }
            readPosition += bytes.count
        case .failure(let error as IOError)
        where error.reason == .cancelled || error.reason == .deadlineExceeded:
            break
        case .failure(let error): throw error
        }
    }

    private mutating func cancel(_ task: Task<[UInt8], any Error>) async throws {
        let shard = connection.shard
        switch Int.random(in: 0..<5, using: &numbers) {
        case 0: task.cancel()
        case 1: try shard.post(to: (shard.index + 1) % shard.count) { _ in task.cancel() }
        case 2: Task.detached { task.cancel() }
        case 3:
            try await shard.sleep(for: .microseconds(Int.random(in: 0...50, using: &numbers)))
            task.cancel()
        default:
            await Task.yield()
            task.cancel()
        }
    }
}

/// A peer that sends and receives at once until the server closes.
private struct TalkingPeer {
    private let client: BlockingClient
    private var sent = 0
    private var received = 0

    init(to address: SocketAddress) throws {
        client = try BlockingClient(to: address)
    }

    mutating func talk() throws {
        while true {
            var entry = pollfd(
                fd: client.descriptor,
                events: Int16(POLLIN) | Int16(POLLOUT),
                revents: 0
            )
            guard poll(&entry, 1, 60_000) == 1 else { throw ClientError("poll") }
            if entry.revents & Int16(POLLIN) != 0, try !receive() { return }
            if entry.revents & Int16(POLLOUT) != 0 { send() }
        }
    }

    private mutating func receive() throws -> Bool {
        let bytes: [UInt8]
        do {
            bytes = try client.receiveSome()
        } catch let error as ClientError where error.code == ECONNRESET {
            // It closed while we still sent.
            return false
        }
        guard KnownBytes.matches(bytes, at: received) else {
            throw WrongStream(wantedBytes: received + bytes.count, rightBytes: received)
        }
        received += bytes.count
        return !bytes.isEmpty
    }

    private mutating func send() {
        let piece = KnownBytes.bytes(at: sent, count: 300)
        let count = Glibc.send(
            client.descriptor,
            piece,
            piece.count,
            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        )
        if count > 0 { sent += count }
    }
}
