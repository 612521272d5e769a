import Testing
import UringTesting

@testable import UringEngine

/// One telling of a scenario, held to what must be true whatever went wrong: nothing hangs, no byte
/// is wrong, nothing is left.
struct FaultRun {
    let scenario: FaultScenario
    let plan: FaultPlan
    /// Says in a failure which run it was.
    let cell: String
    var rung = Rung.everything

    /// Tells it to its end.
    func run() throws {
        let descriptorsBefore = openDescriptorCount()
        let directory = try ScratchDirectory()
        defer { directory.clear() }
        weak var loop: EventLoop?
        try tell(in: directory) { loop = $0 }
        #expect(loop == nil, "nothing holds the loop any more: \(cell)")
        #expect(openDescriptorCount() == descriptorsBefore, "\(cell)")
    }

    private func tell(
        in directory: ScratchDirectory,
        whenMade: (EventLoop) -> Void
    ) throws {
        let server: LoopThread
        do {
            server = try LoopThread(rung, faults: plan, options: scenario.options) { _ in }
        } catch let error as IOError {
            return #expect(plan.usedCount > 0, "\(cell): no loop: \(error)")
        }
        whenMade(server.loop)
        let stage = FaultStage(server, directory)
        judge { try scenario.body(stage) }
        plan.disarm()
        judge { try expectService(by: server) }
        try expectRest(stage)
    }

    /// An end is fine when something went wrong; a hang and a wrong byte never are.
    private func judge(_ part: () throws -> Void) {
        do {
            try part()
        } catch {
            let isHonest =
                switch error {
                case is EarlyEnd, is IOError, is LoopGone: true
                case let error as PeerError: error.code != Errno.again.rawValue
                default: false
                }
            let isExcused = isHonest && plan.usedCount > 0
            #expect(isExcused, "\(cell), after \(plan.usedCount) faults: \(error)")
        }
    }

    /// What went wrong concerns one connection: the loop serves the next as if nothing had been.
    private func expectService(by server: LoopThread) throws {
        server.closePeers()
        let listening = try server.listen { EchoHandler() }
        let peer = try listening.connect()
        for round in 0..<40 {
            let range = round * 1_000..<(round + 1) * 1_000
            try peer.send(Pattern(seed: 77), range)
            do {
                try peer.expect(Pattern(seed: 77), range)
            } catch let error as EarlyEnd {
                throw FalseEnd(got: error.got, wanted: error.wanted)
            }
        }
        peer.close()
    }

    private func expectRest(_ stage: FaultStage) throws {
        let server = stage.server
        do {
            try server.letGo()
        } catch is LoopGone {
            #expect(throws: IOError.self, "\(cell)") { try server.stop() }
            return expectOrder(stage.handlers.all)
        } catch {
            server.abandon()
            return #expect(Bool(false), "\(cell): \(error)")
        }
        try passOwnTimers(of: server)
        let (metrics, timers, isSound) = try server.run {
            ($0.metrics, $0.timers.count, $0.checkInvariants())
        }
        #expect(isSound)
        #expect(metrics.operationsInFlight == 0, "\(cell)")
        #expect(metrics.staleCompletions == 0, "\(cell)")
        #expect(metrics.buffersLent == 0, "\(cell)")
        #expect(timers == 0, "\(cell)")
        #expect(try server.stop() == 0, "\(cell): no operation outlives the loop")
        expectOrder(stage.handlers.all)
    }

    /// A story may have set a timer of a few milliseconds, and have ended before it.
    private func passOwnTimers(of server: LoopThread) throws {
        guard try server.run({ $0.timers.count }) > 0 else { return }
        let passed = Gate()
        try server.run { loop in
            loop.callLater(.milliseconds(5)) { passed.open() }
        }
        try passed.wait("a timer of five milliseconds")
    }

    /// Each handler heard of its connection's end, once and last, and of no wrong byte.
    private func expectOrder(_ handlers: [TestHandler]) {
        for handler in handlers {
            #expect(handler.misplacedCalls == 0, "\(cell)")
            #expect(handler.lossCount == (handler.transport == nil ? 0 : 1), "\(cell)")
            if let checking = handler as? CheckingHandler {
                #expect(checking.firstWrongByte == nil, "\(cell)")
            }
        }
    }
}
