import UringCore
import UringTesting

/// A client inside the server: it connects from a shard, under deadlines and cancellations.
struct Connector: Sendable {
    let shard: Shard
    let ledger: Ledger
    let shared: SharedRandom

    /// Makes some connections, one after the other; whatever keeps one from ending well is fine, but
    /// for wrong bytes.
    func run(_ endpoint: Endpoint) async {
        for _ in 0..<3 {
            do {
                try await exchange(endpoint)
            } catch {
                guard error is IOError || error is CancellationError else {
                    return ledger.report("a connector failed with \(error)")
                }
            }
        }
    }

    private func exchange(_ endpoint: Endpoint) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await converse(endpoint) }
            if shared.between(0, 1) == 0 {
                group.addTask {
                    try await shard.sleep(for: .microseconds(shared.between(0, 1_000)))
                    throw CancellationError()
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func converse(_ endpoint: Endpoint) async throws {
        let timeout = Duration.microseconds(shared.between(0, 5_000))
        let number = 200 + shard.index
        try await shard.withConnection(to: endpoint, timeout: timeout) { connection in
            let count = shared.between(2, 400)
            let bytes = (0..<count).map { ClientPlan.byte($0, of: number, .echo) }
            try await connection.write(bytes)
            if shared.between(0, 1) == 0 { try connection.finish() }
            var position = 0
            while position < count {
                let limit = Duration.microseconds(shared.between(1, 50_000))
                guard let more = try await connection.read(timeout: limit) else { return }
                for byte in more.copyToArray() {
                    if byte != ClientPlan.byte(position, of: number, .echo) {
                        ledger.report("a connector got a wrong byte at \(position)")
                    }
                    position += 1
                }
            }
        }
    }
}
