import UringEngine

/// Keeps a loop from turning until it is released.
final class Hold: Sendable {
    private let gate = Gate()

    init(_ server: LoopThread) throws {
        let gate = gate
        let reached = Gate()
        server.loop.callSoonThreadsafe {
            reached.open()
            try gate.wait("a release")
        }
        try reached.wait("the loop at rest")
    }

    func release() {
        gate.open()
    }
}
