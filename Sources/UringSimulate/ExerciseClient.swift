import UringCore
import UringTesting

/// One client that does what its plan says, a little at a time.
final class ExerciseClient {
    let plan: ClientPlan
    private var client: SimulatedClient
    private let connect: () throws -> SimulatedClient
    private var sentCount = 0
    private var receivedCount = 0
    private(set) var isOver = false
    private var hasFinished = false
    private var ending = "open"

    /// Where it stands, for a failure's reader.
    var story: String {
        "client \(plan.number) (\(plan.behaviour)) sent \(sentCount) of \(total), got \(receivedCount), "
            + (client.isConnected ? ending : "not connected")
    }

    init(_ plan: ClientPlan, connect: @escaping () throws -> SimulatedClient) throws {
        self.plan = plan
        self.connect = connect
        self.client = try connect()
    }

    /// The bytes that it sends: at least the two that tell the server what to do.
    private var total: Int { plan.byteCount + 2 }

    /// Does something, if there is something to do.
    ///
    /// - Returns: whether there was.
    func act(
        _ random: inout SimulationRandom,
        _ ledger: Ledger,
        _ exercise: ExercisePlan,
        isUrged: Bool
    ) throws -> Bool {
        guard !isOver else { return false }
        if client.connectError == .again {
            // The queue of a Unix listener is full; the clock goes on by others' doing.
            client = try connect()
            return client.connectError != .again
        }
        if let error = client.connectError { return end("refused: \(error)") }
        guard client.isConnected else { return false }
        if isUrged || random.below(1_000) < plan.eagerness, try receive(&random) { return true }
        if client.wasReset || client.hasEnded {
            try checkEnd(ledger, exercise)
            client.close()
            return end(client.wasReset ? "reset" : "ended")
        }
        return send(&random)
    }

    private func receive(_ random: inout SimulationRandom) throws -> Bool {
        let bytes = client.tryReceive(random.between(1, 4_000))
        for byte in bytes {
            guard byte == ClientPlan.byte(receivedCount, of: plan.number, plan.behaviour) else {
                throw ExerciseFailure("client \(plan.number) got a wrong byte at \(receivedCount)")
            }
            receivedCount += 1
        }
        if receivedCount > sentCount {
            throw ExerciseFailure("client \(plan.number) got more than it had sent")
        }
        return !bytes.isEmpty
    }

    private func send(_ random: inout SimulationRandom) -> Bool {
        if case .reset(let limit) = plan.ending, sentCount >= limit {
            client.reset()
            return end("resets")
        }
        if sentCount < total { return sendMore(random.between(1, plan.chunkMax)) }
        switch plan.ending {
        case .closeAtOnce:
            client.close()
            return end("closes at once")
        case .finish where !hasFinished:
            hasFinished = true
            client.finish()
            return true
        case .finish, .wait, .reset: return false
        }
    }

    private func sendMore(_ countMax: Int) -> Bool {
        let count = min(countMax, total - sentCount)
        let chunk = (sentCount..<(sentCount + count)).map {
            ClientPlan.byte($0, of: plan.number, plan.behaviour)
        }
        let taken = client.trySend(chunk)
        sentCount += taken
        return taken > 0
    }

    private func end(_ ending: String) -> Bool {
        isOver = true
        self.ending = ending
        return true
    }

    // MARK: What must be so at the end

    private func checkEnd(_ ledger: Ledger, _ exercise: ExercisePlan) throws {
        let account = ledger[plan.number]
        let place = "client \(plan.number) (\(plan.behaviour))"
        if exercise.mayBeCut {
            guard exercise.drainsInPeace, exercise.tellsAborts, !plan.behaviour.mayReset else {
                return
            }
            // Nobody has taken the connection in yet, or learnt whose it is.
            if account.readCount == 0 { return }
            guard !client.wasReset, receivedCount == account.writtenCount else {
                throw ExerciseFailure(
                    "\(place) got \(receivedCount) of \(account.writtenCount) bytes in a drain"
                        + (client.wasReset ? ", then a reset" : "")
                )
            }
            return
        }
        if client.wasReset {
            guard !plan.behaviour.mayReset else { return }
            throw ExerciseFailure(
                "\(place) was reset although nobody wished it: \(account.failure ?? "no error")"
            )
        }
        switch plan.behaviour {
        // The client may see the end before the handler is told of its own failure.
        case .fail where !exercise.tellsAborts, .abort where !exercise.tellsAborts,
            .hurry where !exercise.tellsAborts:
            return
        case .leaveEarly, .halfClose, .fail, .abort:
            guard receivedCount == account.writtenCount else {
                throw ExerciseFailure(
                    "\(place) got \(receivedCount) of \(account.writtenCount) bytes before the end"
                )
            }
        case .echo, .piecewise, .slow, .submit, .impatient, .hoard, .duplex, .raced, .narrow,
            .closeAndWait, .hurry:
            guard receivedCount == total else {
                throw ExerciseFailure(
                    "\(place) got \(receivedCount) of \(total) bytes before the end"
                )
            }
        }
    }

    /// A server that saw the end of the stream has got everything before it.
    func checkServer(_ ledger: Ledger, _ exercise: ExercisePlan) throws {
        let account = ledger[plan.number]
        guard account.readCount <= sentCount else {
            throw ExerciseFailure("client \(plan.number): more was read than it had sent")
        }
        if exercise.mayBeCut || plan.behaviour == .leaveEarly { return }
        guard !account.hasFinished || account.readCount == sentCount else {
            throw ExerciseFailure(
                "client \(plan.number) (\(plan.behaviour)) sent \(sentCount) bytes;"
                    + " the server read \(account.readCount) before the end"
            )
        }
    }
}

/// Something that must not happen.
struct ExerciseFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
