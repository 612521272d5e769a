import Testing

@testable import UringCore
@testable import UringEngine

/// What ends at once in a drain, and what may finish.
@Suite("A drain", .serialized)
struct DrainTests {
    /// Answers each request when `mayAnswer` says so, in async code.
    @Sendable private static func answer(
        _ connection: Connection,
        _ received: EventGate,
        _ mayAnswer: SharedCount
    ) async throws {
        while let request = try await connection.read() {
            received.open()
            while mayAnswer.value == 0 {
                try await connection.shard.sleep(for: .milliseconds(1))
            }
            try await connection.write(request)
        }
    }

    /// The same as calls.
    private final class Answering: StreamHandler {
        private let received: EventGate
        private let mayAnswer: SharedCount
        private var request: ReceivedBytes?
        private var isDraining = false

        init(_ received: EventGate, _ mayAnswer: SharedCount) {
            self.received = received
            self.mayAnswer = mayAnswer
        }

        func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
            request = consume bytes
            received.open()
            answer(on: transport)
        }

        private func answer(on transport: StreamTransport) {
            guard mayAnswer.value > 0 else {
                transport.loop.callLater(.milliseconds(1)) { self.answer(on: transport) }
                return
            }
            if let bytes = request.take() { transport.write(bytes) }
            if isDraining { transport.close() }
        }

        func drainStarted(on transport: StreamTransport) {
            isDraining = true
            if request == nil { transport.close() }
        }
    }

    @Test(arguments: [false, true])
    func endsIdleConnectionsAtOnceAndLetsRequestsFinish(_ isAsync: Bool) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let received = EventGate()
            let mayAnswer = SharedCount()
            let run = SupervisedRun(makeSupervisor(2)) { shard in
                let listener = try shard.listen()
                addresses.add(listener.address)
                if isAsync {
                    try await listener.serve { try await Self.answer($0, received, mayAnswer) }
                } else {
                    try await listener.serve(handlers: { Answering(received, mayAnswer) })
                }
            }
            let address = try await addresses.last(after: 2)
            mayAnswer.add()
            let idle = try await connect(20, to: address)
            let busy = try await connect(20, to: address)
            mayAnswer.add(-1)
            for _ in 0..<40 { try await received.opened("a request that was answered") }
            for client in busy { try client.send([7, 8, 9]) }
            for _ in 0..<20 { try await received.opened("a request") }
            run.supervisor.drain()
            let idleEnds = try await onThread { try idle.map { try $0.ending() } }
            #expect(idleEnds.allSatisfy { $0 == .eof }, "while requests are under way")
            mayAnswer.add()
            let answers = try await onThread { try busy.map { ($0, try $0.receive(3)) } }
            #expect(answers.allSatisfy { $0.1 == [7, 8, 9] })
            let busyEnds = try await onThread { try busy.map { try $0.ending() } }
            #expect(busyEnds.allSatisfy { $0 == .eof })
            for client in idle + busy { client.close() }
            try await run.expectEnd()
        }
    }

    /// The time that handlers take and the time that their last bytes take are one.
    @Test func hasOneLimitForHandlersAndForWhatTheyWrote() async throws {
        let run = SupervisedRun(makeSupervisor(1)) { shard in
            shard.beginDrain()
            let limit = shard.endOfDrain
            try await shard.sleep(for: .milliseconds(2))
            shard.beginDrain()
            #expect(shard.endOfDrain == limit)
        }
        try await run.expectEnd()
    }

    @Test func leavesALastGraceToHandlersThatWereCancelledAtItsLimit() async throws {
        let run = SupervisedRun(makeSupervisor(1, configured { $0.drainTimeout = .zero })) {
            shard in
            shard.beginDrain()
            try await shard.sleep(for: .milliseconds(1))
            let now = shard.loop.now
            #expect(shard.endOfDrain == Deadline.after(.seconds(5), from: now))
        }
        try await run.expectEnd()
    }
}
